"""The windows: widgets that show a state object and hold no logic of their own."""
