# tfrun: `make help` lists what there is. `make demo` and `make test` do all the set-up they need.

GO ?= go
export GO

# Set up libtensorflow (once; instant later) and give its flags to the rest of a recipe line.
# With CGO_ENABLED=0 the command still builds, without what needs TensorFlow.
ifeq ($(CGO_ENABLED),0)
with_tf = true
else
with_tf = env=$$(scripts/libtensorflow.sh build) && eval "$$env"
endif

version := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
ldflags = -X main.version=$(version) $$TFRUN_LDFLAGS

tfbench = PYTHONPATH=bench $${PYTHON:-python3} -m tfbench

comma := ,
.DEFAULT_GOAL := help
.PHONY: day tables corpora ops same fuzz soak vuln help lib env build demo test hostile bench bench-compare bench-baseline clean go dist image-test image-test-gpu gpu-test kill-test beam-test flink-test spark-test scale-bench wild

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { gsub(/\$$\$$/, "$$"); printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'VARIANT=gpu, TF=2.20.0, TFRUN_LIBTENSORFLOW=/usr/local and others: see scripts/libtensorflow.sh'

go:
	@scripts/libtensorflow.sh go

lib: ## get libtensorflow (274 MB, once for all clones)
	@scripts/libtensorflow.sh

env: ## print the cgo settings for a project of your own: eval "$$(make -s env)"
	@scripts/libtensorflow.sh env

build: go ## build bin/tfrun
	@mkdir -p bin
	@$(with_tf) && $(GO) build -ldflags "$(ldflags)" -o bin/tfrun ./cmd/tfrun

demo: build ## describe the example model and run it on the example reviews
	bin/tfrun shapes examples/reviews/model
	bin/tfrun predict examples/reviews/model examples/reviews/reviews.jsonl \
		--text text --vocab examples/reviews/vocab.subwords --keep text

test: ## run every check: format, vet, staticcheck, tests, most of them with -race and without cgo too, and fuzzing
	@scripts/test.sh

same: go ## compare the answers of BASE=REV and of this tree (or HEAD=REV) over every model, byte for byte (ONLY=facts,scan)
	@$(GO) run ./scripts/same -only "$(ONLY)" $(BASE) $(HEAD)

day: build ## play the data engineer's day: score CSV, Parquet and JSON with bad rows, killed twice, joined back in DuckDB
	@$${PYTHON:-python3} scripts/day.py bin/tfrun testdata/models/k3_masked/model

ops: ## bring the table of TensorFlow's operations (internal/ops) up to date (7 libraries, 2 GB)
	@scripts/ops.py

wild: build ## try the SavedModels below TFRUN_WILD=FOLDER (testdata/wild): describe, scan, run; compare with PYTHON=… that has TensorFlow
	@$(with_tf) && $(GO) build -ldflags "$(ldflags)" -o bin/wild ./scripts/wild && bin/wild $${TFRUN_WILD:-testdata/wild}

tables: go ## compare layer tables with Keras' own, by form of export (TFRUN_MODELS=FOLDER adds; testdata/tables/make_tables.py makes some)
	@CGO_ENABLED=0 $(GO) test ./savedmodel/layers -run TestTables -count=1 -v

.PHONY: wild-tables
wild-tables: go ## compare the tables of the Keras models below TFRUN_WILD=FOLDER with what Keras (PYTHON=…) prints of them
	@out=$$(mktemp -d) && trap 'rm -rf "$$out"' EXIT && $${PYTHON:-python3} scripts/wild/tables.py "$$TFRUN_WILD" "$$out" && \
		TFRUN_MODELS=$$out $(MAKE) -s tables

hostile: build ## try every limit, hostile input and fault of docs/hostile.md (UPDATE=1 rewrites it), and models that try to get out
	@$(with_tf) && scripts/hostile.sh

corpora: go ## compare other projects' test files with what referees said (TFRUN_CORPORA=FOLDER)
	@scripts/corpora.sh

.PHONY: written
written: go ## carry columns from every format into every other, and open the results with pyarrow, DuckDB, Polars and pandas
	@$(with_tf) && dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && TFRUN_WRITTEN=$$dir $(GO) test ./runner/job -run TestKeptMatrix -count=1 -vet=off -ldflags "$$TFRUN_LDFLAGS" && \
		$${PYTHON:-python3} scripts/corpora/written.py "$$dir"

fuzz: go ## run every fuzz target, or those that FUZZ=csv names, for FUZZTIME=30s; what breaks one is kept in testdata/fuzz
	@$(with_tf) && scripts/fuzz.sh

bench: build ## measure against Python and others (BENCH=cold,rows picks, BENCH_QUICK=1 shortens; bench/README.md)
	@$(with_tf) && $(GO) build -ldflags "$(ldflags)" -o bin/bench/ ./bench/latency ./bench/overhead ./bench/profile
	@$(tfbench) run --only "$(BENCH)" $(if $(BENCH_QUICK),--quick) $(if $(BENCH_ROUNDS),--rounds $(BENCH_ROUNDS)) $(if $(BENCH_OUT),--out "$(BENCH_OUT)")

speed: go ## compare the time of a Go program of 20 lines with the command's (ROUNDS=9)
	@$(with_tf) && export TFRUN_LDFLAGS && TFRUN_SPEED=$${ROUNDS:-9} $(GO) test ./examples/predict -run TestAsFast -count=1 -v -vet=off

bench-compare: ## compare the last `make bench` with bench/baseline.json: fails where a ratio got worse
	@$(tfbench) compare $(BENCH_OUT)

bench-baseline: ## make the last `make bench` the new baseline
	@$(tfbench) baseline $(BENCH_OUT)

dist: go ## make tarballs, a Debian package, a Python wheel and checksums: dist/ (PARTS=linux,wheel; VARIANT=gpu for GPUs)
	@scripts/dist.sh $(subst $(comma), ,$(PARTS))

image-test: go ## build the CPU images and test them; needs no engine and no registry
	@scripts/image/test.sh

image-test-gpu: go ## the same for the GPU image; needs no GPU (2.7 GB of downloads)
	@scripts/image/test.sh gpu

kill-test: go ## kill runs of tfrun predict 200 times, and 50 times over a store, and compare what --resume makes of them (15 minutes; KILLS=20)
	@$(with_tf) && TFRUN_KILLS=$${KILLS:-200} $(GO) test ./cmd/tfrun -run TestKill -count=1 -v -timeout 2h -ldflags "$$TFRUN_LDFLAGS"

beam-test: go ## test tfrunbeam, the module for Apache Beam, on Prism (two minutes where nothing is built yet)
	@$(with_tf) && cd beam && $(GO) vet ./... && $(GO) mod tidy -diff && $(GO) test -count=1 -vet=off -ldflags "$$TFRUN_LDFLAGS" ./...

flink-test: build ## run beam/score on Apache Flink with two task managers, one of which is killed (Java 17 and Maven; three minutes)
	@$(with_tf) && export TFRUN_LDFLAGS && scripts/flink_test.sh

spark-test: build ## run tfrun.spark on a standalone cluster of Spark (needs Java 17; five minutes)
	@scripts/spark_test.sh

scale-bench: build ## measure folders, Spark and Beam against one process, Python workers and a loop (PYTHON with TensorFlow, pyarrow and pandas; Java 17; ROUNDS=5)
	@$(with_tf) && export TFRUN_LDFLAGS && scripts/spark_test.sh bench

soak: go ## run millions of rows and look at what is left: memory, goroutines, files (ROWS=10000000)
	@$(with_tf) && TFRUN_SOAK=$${ROWS:-10000000} TF_CPP_MIN_LOG_LEVEL=3 $(GO) test ./runner/job -run TestSoak -count=1 -v -vet=off -timeout 2h -ldflags "$$TFRUN_LDFLAGS"

stress: go ## run every model with 2, 4 and 8 runs at a time, and compare with one (hours; ROUNDS=50; MODEL=stress_ picks; TFRUN_MODELS adds folders)
	@$(with_tf) && TFRUN_STRESS=$${ROUNDS:-50} TF_CPP_MIN_LOG_LEVEL=3 $(GO) test ./runner -run 'TestStress$$/$(MODEL)' -count=1 -v -vet=off -timeout 24h -ldflags "$$TFRUN_LDFLAGS"

vuln: go ## look for known vulnerabilities with govulncheck; says so where its database cannot be reached
	@$(with_tf) && scripts/vuln.sh

gpu-test: go ## test predictions, speed and memory on this machine's GPU
	@scripts/gpu/test.sh

clean: ## remove what was built here; the shared cache stays
	rm -rf bin third_party
