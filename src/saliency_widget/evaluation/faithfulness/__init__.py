"""Faithfulness: does taking away the units that a map names change the model's output more than chance does?"""
