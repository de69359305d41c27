"""Studies pulled out of archives: listed, settled, read, judged and kept."""
