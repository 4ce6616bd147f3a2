"""What an emulated 64-bit Arm finds and passes, beside this machine."""
