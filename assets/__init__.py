"""What macromicro makes, one folder a stage. `assets.py` in each is thin; the files beside it are pure."""
