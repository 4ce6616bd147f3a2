"""TensorRT engines over pycuda."""
