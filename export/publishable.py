"""A checkpoint's files, rewritten so that transformers 4 and 5, tokenizers and transformers.js all read them alike.

Transformers 5 writes `tokenizer_class: TokenizersBackend`, a name that transformers 4 does not know. The Bert classes
would load in both, but they rebuild the normalizer and lower-case the text unless told otherwise in three more keys;
`PreTrainedTokenizerFast` takes tokenizer.json as it stands in both, so the ids are the ones `tokenizers` itself gives.

A student that writes has more files: generation_config.json, by which `generate` of any library stops where carabin
does, and exercises.json, the words its exercises are made with, where it writes any.

Neither transformers nor tokenizers is asked: the files are read as JSON and written as JSON.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carabin.errors import CarabinError
from carabin.exercises.words import WORDS_FILE, ExerciseWords
from carabin.generation.writer_settings import WriterSettings
from export.onnx_files import is_seq2seq

Json = dict[str, Any]

WEIGHTS = "model.safetensors"
PUBLISHED = ("config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json")
"""What `write_publishable` writes of any student."""
GENERATION, EXERCISES = "generation_config.json", WORDS_FILE
"""And of one that writes."""
_FAMILIES = {
    False: ("id2label", "ForTokenClassification", "its bare encoder"),
    True: ("max_written", "T5ForConditionalGeneration", "a half of it"),
}
"""Does it write -> what its config must hold, how its architecture's name ends, what one might save instead."""

_SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_FRAME = ("decoder_start_token_id", "eos_token_id", "pad_token_id")
_UNSET_LENGTH = 1 << 20
"""transformers writes 10^30 for "no limit"; nothing of ours reads a million tokens at once."""


class CheckpointError(CarabinError):
    """A checkpoint that cannot be published; the message names the file, the cause and the way out."""


def write_publishable(checkpoint: Path, out: Path, name: str) -> None:
    """Write config, weights and tokenizer of a checkpoint, and what its family has beside them.

    Args:
        checkpoint: Folder that `save_pretrained` of transformers 5 wrote, model and tokenizer.
        out: Folder that receives the files; made if it does not exist.
        name: The student's id, by which carabin names it in what it writes.

    Raises:
        CheckpointError: a file is missing, damaged, or neither a token classifier's nor a T5's.
        ModelError: carabin could not write with it: its config or its words for exercises are not as they should be.
    """
    config = publishable_config(_read(checkpoint / "config.json"), name)
    files = {
        "config.json": config,
        "tokenizer_config.json": publishable_tokenizer_config(_read(checkpoint / "tokenizer_config.json"), config),
        "tokenizer.json": publishable_tokenizer(_read(checkpoint / "tokenizer.json")),
    }
    if is_seq2seq(config):
        files[GENERATION] = publishable_generation_config(_read(checkpoint / GENERATION), config)
        WriterSettings.of_config(config, checkpoint)
        if (checkpoint / EXERCISES).is_file():
            files[EXERCISES] = _read(checkpoint / EXERCISES)
            ExerciseWords.from_dict(files[EXERCISES], str(checkpoint / EXERCISES))
    if not (checkpoint / WEIGHTS).is_file():
        raise CheckpointError(f"{checkpoint / WEIGHTS}: no such file; only safetensors are published, never pickles")
    out.mkdir(parents=True, exist_ok=True)
    for path, value in files.items():
        _write(out / path, value)
    shutil.copyfile(checkpoint / WEIGHTS, out / WEIGHTS)


def start_afresh(folder: Path) -> None:
    """Empty a step's working folder of what a killed call left, but for the step's claim on it.

    These steps take seconds, and a stray file in a published folder costs more than doing them again.
    """
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "claim.json":
            path.unlink()


def publishable_config(config: Mapping[str, Any], name: str) -> Json:
    """Return the config with the student's id for its name, instead of a path of the machine that trained it.

    Raises:
        CheckpointError: the config is neither a token classifier's nor a T5's.
    """
    needed, architecture, instead = _FAMILIES[is_seq2seq(config)]
    if not config.get(needed) or not str((config.get("architectures") or [""])[0]).endswith(architecture):
        raise CheckpointError(
            f"config.json of '{name}': no {needed}, or architectures is not …{architecture}; "
            f"save the model that was trained for the task, not {instead}"
        )
    return {"_name_or_path": name, **{key: value for key, value in config.items() if key != "_name_or_path"}}


def publishable_tokenizer_config(settings: Mapping[str, Any], config: Mapping[str, Any]) -> Json:
    """Return tokenizer settings that both major versions of transformers load.

    Args:
        settings: tokenizer_config.json as trained.
        config: The model's config: its `max_position_embeddings` bounds the window.

    Raises:
        CheckpointError: neither file says how long a window is.
    """
    longest = min(
        settings.get("model_max_length") or _UNSET_LENGTH, config.get("max_position_embeddings") or _UNSET_LENGTH
    )
    if longest >= _UNSET_LENGTH:
        raise CheckpointError(
            "tokenizer_config.json: model_max_length is not set; carabin cuts its windows by it: save the tokenizer "
            "with model_max_length = the student's max_tokens"
        )
    tokens = {key: _token_text(settings[key]) for key in _SPECIAL_TOKENS if settings.get(key)}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": int(longest),
        # A T5 that is given token types refuses to write.
        "model_input_names": ["input_ids", *(() if is_seq2seq(config) else ("token_type_ids",)), "attention_mask"],
        "clean_up_tokenization_spaces": False,
        **tokens,
    }


def publishable_tokenizer(tokenizer: Mapping[str, Any]) -> Json:
    """Return the tokenizer without the truncation and padding that a training run may have left switched on.

    Left in, they would cut long documents silently for whoever loads the file with `tokenizers` alone.
    """
    return {**tokenizer, "truncation": None, "padding": None}


def publishable_generation_config(generation: Mapping[str, Any], config: Mapping[str, Any]) -> Json:
    """Return the settings of `generate`, greedy and as long as the student writes: transformers stops at 20 tokens.

    Raises:
        CheckpointError: it does not say with which tokens a text begins and ends.
    """
    tokens = {key: generation.get(key, config.get(key)) for key in _FRAME}
    if missing := [key for key, token in tokens.items() if not isinstance(token, int)]:
        raise CheckpointError(
            f"{GENERATION}: no {', '.join(missing)}; save the model with the generation config it was trained with"
        )
    # What a conclusion never holds, as carabin bars it: marks of exercises, the same words over and over.
    guards = {key: generation[key] for key in ("suppress_tokens", "no_repeat_ngram_size") if generation.get(key)}
    return {**tokens, **guards, "max_new_tokens": config["max_written"], "do_sample": False, "num_beams": 1}


def _token_text(token: str | Mapping[str, Any]) -> str:
    """Return a special token's text; transformers writes some as objects with an added token's flags."""
    return token if isinstance(token, str) else str(token["content"])


def _read(path: Path) -> Json:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; train the student first, or name its checkpoint folder") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: not JSON ({error}); write the checkpoint again") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: not a JSON object; write the checkpoint again")
    return value


def _write(path: Path, value: Json) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
