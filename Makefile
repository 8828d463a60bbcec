# Carabin: every job is a target; `make` alone prints them.
PROFILE ?= local
SEED ?= 1
PYTHON ?= python3
LAB := .venv/lab/bin/python
EXPORT := .venv/export/bin/python
# The students of each family: a folder of models/ each.
BERT := tiny mini small medium mini-pii
T5 := mini small
STUDENTS := $(BERT:%=bert-%) $(T5:%=t5-%)
HOSPITAL := .venv/hospital/bin/python
VERBS := train plan sign push keep-card ship
STUDENT = $(filter $(STUDENTS),$(foreach verb,$(VERBS),$(@:$(verb)-%=%)))
RUN = runs/$(STUDENT)/$(PROFILE)/seed-$(SEED)
ifneq ($(CARABIN_DATA),)
export CARABIN_DATA
endif
# Nothing here may call the Hub unless the profile says so, and nobody counts our downloads.
export HF_HUB_DISABLE_TELEMETRY := 1
export ORT_DISABLE_TELEMETRY := 1
export HF_UPDATE_DOWNLOAD_COUNTS := 0
export TOKENIZERS_PARALLELISM := true

.PHONY: help environments lock pretrain licences cards check test test-fast bench bench-writing wheel clean \
	$(foreach verb,$(VERBS),$(STUDENTS:%=$(verb)-%))

help: ## print this list
	@grep -hE '^[a-z$$/ .(:%=)A-Z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([^#]*[a-z)]):.*## /\1|/' | \
		awk -F'|' -v bert="$(BERT)" -v t5="$(T5)" -v all="$(STUDENTS)" '{ count = split($$1, names, " "); \
			students = $$1 ~ /BERT/ ? bert : $$1 ~ /T5/ ? t5 : all; \
			if (match($$1, /=[a-z0-9-]+-%/)) { count = split(students, names, " "); stem = substr($$1, RSTART + 1, RLENGTH - 2); \
				for (i = 1; i <= count; i++) names[i] = stem names[i] } \
			for (i = 1; i <= count; i++) printf "  make %-24s %s\n", names[i], i == 1 ? $$2 : "\"" }'
	@echo "  options: PROFILE=local|quaero|morfitt|open|hub  SEED=1  CARABIN_DATA=folder  REPO=org/name  DRY_RUN=1"

environments: .venv/lab/.ready .venv/export/.ready .venv/hospital/.ready ## create the three locked environments, lab, export and hospital

.venv/%/.ready: requirements/%.txt
	$(PYTHON) -m venv .venv/$*
	.venv/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# Installed, not only found on the path: the command `carabin` and spaCy's factories are entry points.
.venv/hospital/.ready: requirements/hospital.txt pyproject.toml
	$(PYTHON) -m venv .venv/hospital
	.venv/hospital/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	.venv/hospital/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

lock: ## resolve requirements/*.in anew into requirements/*.txt (needs the registry; takes minutes)
	@for name in lab export hospital; do \
		rm -rf .venv/lock && $(PYTHON) -m venv .venv/lock && \
		.venv/lock/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/$$name.in && \
		{ echo "# Written by \`make lock\` from $$name.in; do not edit."; \
		  .venv/lock/bin/python -m pip freeze --all --exclude pip --exclude carabin | sed -E 's/\+cpu$$//'; } > requirements/$$name.txt || exit 1; \
	done; rm -rf .venv/lock

$(BERT:%=train-bert-%): train-bert-%: .venv/lab/.ready .venv/export/.ready ## the main job for a student: gate -> ... -> INT8 -> card
	@$(LAB) -m training.train_bert --student $(STUDENT) --profile $(PROFILE) --seed $(SEED)
	@$(LAB) -m evaluation.score_run --run $(RUN) --role teacher --role student --role twin
	@$(LAB) -m export.build_onnx --run $(RUN) --export-python $(EXPORT)
	@$(LAB) -m evaluation.calibrate --run $(RUN)
	@$(LAB) -m evaluation.score_run --run $(RUN) --role onnx --role int8
	@$(LAB) -m evaluation.frugality --model $(RUN)/export --out $(RUN)/frugality.json
	@$(LAB) -m export.build_card --run $(RUN)
	@$(LAB) -m evaluation.summary --run $(RUN)

$(T5:%=train-t5-%): train-t5-%: .venv/lab/.ready .venv/export/.ready ## likewise a student that writes: conclusions, exercises for carers, entities
	@$(LAB) -m training.train_t5 --student $(STUDENT) --profile $(PROFILE) --seed $(SEED)
	@$(LAB) -m evaluation.score_writing --run $(RUN) --role teacher --role student --role twin
	@$(LAB) -m export.build_onnx --run $(RUN) --export-python $(EXPORT)
	@$(LAB) -m evaluation.score_writing --run $(RUN) --role int8
	@$(LAB) -m evaluation.frugality --model $(RUN)/export --out $(RUN)/frugality.json
	@$(LAB) -m export.build_card --run $(RUN)
	@$(LAB) -m evaluation.writing_summary --run $(RUN)

pretrain: .venv/lab/.ready ## pretrain on open text what teachers and students start from: MODEL=open-small, or open-writer [MINUTES=10]
	@test -n "$(MODEL)" || { echo "say which: make pretrain MODEL=open-small (a file of models/encoders)" >&2; exit 2; }
	@$(LAB) -m training.pretrain_encoder --encoder $(MODEL) $(if $(MINUTES),--minutes $(MINUTES))

$(STUDENTS:%=push-%): push-%: .venv/lab/.ready ## publish a finished student: REPO=org/name [DRY_RUN=1] [PRIVATE=1] [TAG=v1]
	@test -n "$(REPO)" || { echo "say where to: make push-$(STUDENT) REPO=org/name [DRY_RUN=1]" >&2; exit 2; }
	@$(LAB) -m export.push --repository $(RUN)/repository --to $(REPO) \
		$(if $(DRY_RUN),--dry-run) $(if $(PRIVATE),--private) $(if $(TAG),--revision-tag $(TAG)) $(if $(PUBLIC_KEY),--public-key $(PUBLIC_KEY))

$(STUDENTS:%=sign-%): sign-%: .venv/lab/.ready ## sign a finished student: KEY=publisher.pem (python -m export.sign new-key makes one)
	@test -n "$(KEY)" || { echo "say with what: make sign-$(STUDENT) KEY=publisher.pem" >&2; exit 2; }
	@$(LAB) -m export.sign sign --repository $(RUN)/repository --key $(KEY)

$(STUDENTS:%=plan-%): plan-%: .venv/lab/.ready ## print a student's resolved plan and its licence verdict; nothing is fetched or trained
	@$(LAB) -m training.train_$(firstword $(subst -, ,$(STUDENT))) --student $(STUDENT) --profile $(PROFILE) --seed $(SEED) --dry-run

cards: .venv/lab/.ready ## render the card and the repository of every finished run anew
	@for run in runs/bert-*/*/seed-* runs/t5-*/*/seed-*; do \
		if [ -f $$run/frugality.json ]; then $(LAB) -m export.build_card --run $$run || exit 1; fi; done
	@$(LAB) -m export.publish_card

$(STUDENTS:%=keep-card-%): keep-card-%: .venv/lab/.ready ## keep a finished run's card and figures in models/, where git has them
	@$(LAB) -m export.publish_card --run $(RUN)

$(STUDENTS:%=ship-%): ship-%: .venv/lab/.ready ## put a finished student inside the wheel of carabin: [KEY=publisher.pem]
	@$(LAB) -m export.ship --run $(RUN) $(if $(KEY),--key $(KEY))

licences: .venv/lab/.ready ## print the licence verdict of every student and profile, teacher and corpus
	@$(LAB) -m zoo.licences

check: .venv/lab/.ready ## lint, types, who imports whom, spelling, stale cards
	.venv/lab/bin/ruff check .
	.venv/lab/bin/mypy
	.venv/lab/bin/lint-imports
	.venv/lab/bin/typos
	$(LAB) -m export.publish_card --check

test: environments ## run the whole test suite, offline: the hospital's tests without torch, then the lab's
	$(HOSPITAL) -m pytest -n 2 tests/carabin
	$(LAB) -m pytest -n 2 --ignore=tests/carabin

test-fast: environments ## the tests that take seconds
	$(HOSPITAL) -m pytest -n 2 -m "not slow" tests/carabin
	$(LAB) -m pytest -n 2 -m "not slow" --ignore=tests/carabin

bench: environments ## carabin's speed and memory beside bare onnxruntime, transformers, optimum, OpenVINO: [MODEL=folder] [STRICT=1]
	@$(LAB) -m evaluation.bench_hospital --model $(or $(MODEL),runs/bert-small/$(PROFILE)/seed-$(SEED)/export) $(if $(STRICT),--strict)

bench-writing: environments ## the speed and memory of a student that writes beside transformers: [MODEL=folder] [STRICT=1]
	@$(LAB) -m evaluation.bench_writing --model $(or $(MODEL),runs/t5-small/$(PROFILE)/seed-$(SEED)/export) $(if $(STRICT),--strict)

wheel: .venv/hospital/.ready ## build the wheel of carabin, which a hospital installs, into dist/
	@rm -rf build dist && mkdir -p dist
	@$(HOSPITAL) -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@rm -rf build && ls -l dist

clean: ## delete what runs wrote; environments stay
	rm -rf runs
