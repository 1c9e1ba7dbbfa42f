"""Images and labels as a study uses them, whatever their publisher.

Decoding, grey levels, label policy, filters, split lists, near-duplicates, the loader. One
publisher's layout belongs in `datasets`.
"""
