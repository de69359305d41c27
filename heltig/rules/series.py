"""Series: do its instances belong together?"""
