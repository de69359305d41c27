"""Source and transport: did everything that should have come arrive?"""
