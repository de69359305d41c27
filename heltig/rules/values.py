"""Values: do VR, VM, length and form hold?"""
