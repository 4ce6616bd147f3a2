"""The lean runtime: from a camera to ranked action proposals. Imports neither torch nor onnx."""
