"""What is done to a batch of photos, one file or folder per step.

Nothing here knows where photos come from, where rows are kept, or how work is spread over machines.
"""
