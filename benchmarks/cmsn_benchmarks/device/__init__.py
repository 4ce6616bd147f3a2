"""Measures a bundle on the device that runs it: `cmsn bench`. Without torch; onnx only for the roofline."""
