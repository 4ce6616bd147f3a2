"""A stand-in for Triton's ONNX Runtime backend, which no wheel contains: a Python backend that Triton runs as such.

It loads model.onnx of the repository with the onnxruntime package, runs requests of one shape as one batch, and keeps
implicit state as the `state` section of the configuration says: zeros at START, by correlation id, dropped at END.
"""

# mypy: ignore-errors
# Triton's module exists inside its server only, and is not typed.
import json
from pathlib import Path

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton

START, END = 1, 2


class TritonPythonModel:
    """What Triton's Python backend looks for."""

    @staticmethod
    def auto_complete_config(config):
        """Nothing is left out."""
        return config

    def initialize(self, arguments):
        """Load the model, and check what the real backend checks."""
        config = json.loads(arguments["model_config"])
        repository, version = Path(arguments["model_repository"]), arguments["model_version"]
        candidates = (repository / version, repository / arguments["model_name"] / version)
        model = next(folder / "model.onnx" for folder in candidates if (folder / "model.onnx").exists())
        self.session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        self.batches = config["max_batch_size"] > 0
        self.scalars = {item["name"] for item in config["input"] if "reshape" in item}
        self.inputs = [item["name"] for item in config["input"]]
        self.outputs = [item["name"] for item in config["output"]]
        self.states = {
            state["input_name"]: (
                state["output_name"],
                tuple(int(side) for side in state["dims"]),
                np.dtype(triton.triton_string_to_numpy(state["data_type"])),
            )
            for state in config.get("sequence_batching", {}).get("state", [])
        }
        self.memory = {}
        given = {item.name for item in self.session.get_inputs()}
        if given != {*self.inputs, *self.states}:
            raise triton.TritonModelException(f"the model has the inputs {sorted(given)}")
        shapes = {item.name: item.shape[self.batches :] for item in self.session.get_outputs()}
        for item in config["output"]:
            model = [side if isinstance(side, int) else -1 for side in shapes[item["name"]]]
            if [int(side) for side in item["dims"]] != model:
                raise triton.TritonModelException(f"output {item['name']} is {model} in the model")

    def execute(self, requests):
        """Responses in the order of the requests."""
        feeds = [self._feeds(request) for request in requests]
        groups = {}
        for index, own in enumerate(feeds):
            shape = tuple(value.shape[1:] for value in own.values()) if self.batches else index
            groups.setdefault(shape, []).append(index)
        responses = [None] * len(requests)
        for members in groups.values():
            self._run([(index, requests[index], feeds[index]) for index in members], responses)
        return responses

    def _feeds(self, request):
        feeds = {}
        for name in self.inputs:
            value = triton.get_input_tensor_by_name(request, name).as_numpy()
            feeds[name] = value.reshape(-1) if name in self.scalars else value
        if self.states:
            if request.flags() & START:
                zeros = {name: np.zeros((1, *shape), kind) for name, (_, shape, kind) in self.states.items()}
                self.memory[request.correlation_id()] = zeros
            feeds.update(self.memory[request.correlation_id()])
        return feeds

    def _run(self, members, responses):
        names = list(members[0][2])
        batch = {name: np.concatenate([feeds[name] for _, _, feeds in members]) for name in names}
        if not self.batches:
            batch = members[0][2]
        found = dict(
            zip([item.name for item in self.session.get_outputs()], self.session.run(None, batch), strict=True)
        )
        for row, (index, request, _) in enumerate(members):
            part = slice(row, row + 1) if self.batches else slice(None)
            if self.states:
                sequence = request.correlation_id()
                if request.flags() & END:
                    self.memory.pop(sequence, None)
                else:
                    self.memory[sequence] = {name: found[after][part] for name, (after, _, _) in self.states.items()}
            tensors = [triton.Tensor(name, np.ascontiguousarray(found[name][part])) for name in self.outputs]
            responses[index] = triton.InferenceResponse(tensors)
