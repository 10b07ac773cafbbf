"""Puts Tweenbridge on a machine: its Python environment, and later the editors' plugins. Standard library only."""
