"""Evidence that this installation judges as it should: labelled samples judged again and again."""
