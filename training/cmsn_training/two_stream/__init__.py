"""The two-stream networks of the paper (section 5.1): ResNet on pictures, BN-Inception on optical flow."""
