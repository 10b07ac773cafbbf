"""The tray app: shows what the server does, gets models, takes stills that are dropped on it. A client like any other.

state/    one observable object a page: plain Python and Qt signals, no widgets
views/    widgets, which show a state object and pass on what the user does
"""
