"""What the commands of `tweenbridge` do; cli.py declares them."""
