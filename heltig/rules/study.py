"""Study: can it be found, and is it one study?"""
