"""Character set: can the text be read?"""
