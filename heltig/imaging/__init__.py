"""Images as volumes, and what is measured in them. Research use only.

Needs the extra `heltig[imaging]`. The service has analyses made in a process apart, and imports of this
package only what needs none of these libraries (`order`, `statements`, `contained`). A verdict never depends
on an analysis, and the gate imports nothing of it at all.
"""
