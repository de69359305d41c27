"""Instance: is each one there once?"""
