"""OpenVINO: the extractor on Intel, AMD and Arm CPUs, in FP32 and in half precision."""
