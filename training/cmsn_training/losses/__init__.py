"""Losses of the stage subnet, and the regression form that the evaluation subnet may take (section 4, section 5.3)."""
