#!/usr/bin/env python3
"""Makes the oracle fixtures: tiny random models of every family, with the logits that Hugging Face transformers gives.

    python3 make_fixtures.py OUT_DIR [--only NAME] [--date YYYY-MM-DD]
    python3 make_fixtures.py --sizes          # no torch needed: the sizes table of README.md

Per family OUT_DIR/<name>/ gets config.json, model.safetensors (bf16) and logits.safetensors; OUT_DIR/quantised/ gets
the single linear layers. Runs on the CPU in fp32, with eager attention and eager experts. Written for torch 2.11 and
transformers 5.17. README.md beside this file says what the conventions are.

The checkpoint is made first, tensor by tensor under its Hugging Face name, from a table of shapes that is written here
and not taken from transformers. It is then put into the model, with the experts fused as transformers 5 holds them.
So what is on disk never depends on how a transformers version stores things in memory, and a name or shape that differs
between the two is an error. At the end the folder is loaded once more with from_pretrained, as a second witness.
"""

import argparse
import copy
import hashlib
import inspect
import json
import math
import os
import platform
import re
import sys
import traceback

SEED = "fathom-oracle-1"
PROMPT = 64
DECODE = 32
TOKENS = PROMPT + DECODE
VOCAB = 136  # 8 * 17

# The relative distance that every router decision keeps from a tie, so that no fp32 rounding can flip an expert.
ROUTER_GAP = 3e-4
ATTEMPTS = 60

# ---------------------------------------------------------------------------------------------------------------------
# Families. These are the classic config.json keys, those that libplanner/model/hf_config.cpp reads. They are handed to
# the transformers configuration (rope_theta and rope_scaling as rope_parameters) and merged into the saved config.json.
# ---------------------------------------------------------------------------------------------------------------------


def dense(**more):
    config = {
        "vocab_size": VOCAB,
        "hidden_size": 64,
        "intermediate_size": 72,
        "num_hidden_layers": 3,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": 256,
        "tie_word_embeddings": False,
        "rope_theta": 10000.0,
        "rope_scaling": None,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    config.update(more)
    return config


def yarn(mscale):
    return {
        "rope_type": "yarn",
        "factor": 40.0,
        "original_max_position_embeddings": 32,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "mscale": mscale,
        "mscale_all_dim": mscale,
    }


def deepseek(**more):
    # rms_norm_eps must stay 1e-6: the norms of the latents take the class's default in transformers, not the config's.
    config = dense(
        rms_norm_eps=1e-6,
        max_position_embeddings=1280,
        kv_lora_rank=32,
        qk_nope_head_dim=16,
        qk_rope_head_dim=8,
        moe_intermediate_size=16,
        attention_bias=False,
    )
    config.update(more)
    config["num_key_value_heads"] = config["num_attention_heads"]
    return config


# "classic_only" are keys that our reader knows and the transformers class may not: only merged into config.json.
FAMILIES = {
    # With theta 500 and head_dim 8 the wavelengths are 6.3, 30, 140 and 664: one kept, one between, two scaled.
    "llama": {
        "config": dense(
            model_type="llama",
            rope_theta=500.0,
            rope_scaling={
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            },
            attention_bias=False,
            mlp_bias=False,
        ),
        "class": "Llama",
    },
    "qwen2": {
        "config": dense(
            model_type="qwen2",
            rope_theta=20000.0,
            tie_word_embeddings=True,
            use_sliding_window=False,
            rms_norm_eps=1e-6,
        ),
        "class": "Qwen2",
    },
    "qwen3": {
        "config": dense(
            model_type="qwen3",
            rope_theta=30000.0,
            head_dim=16,
            rms_norm_eps=1e-6,
            attention_bias=False,
            use_sliding_window=False,
        ),
        "class": "Qwen3",
    },
    "mixtral": {
        "config": dense(
            model_type="mixtral",
            rope_theta=20000.0,
            intermediate_size=16,
            num_local_experts=8,
            num_experts_per_tok=2,
            sliding_window=None,
        ),
        "class": "Mixtral",
    },
    "qwen3_moe": {
        "config": dense(
            model_type="qwen3_moe",
            rope_theta=20000.0,
            head_dim=8,
            rms_norm_eps=1e-6,
            num_experts=8,
            num_experts_per_tok=3,
            moe_intermediate_size=16,
            norm_topk_prob=True,
            decoder_sparse_step=1,
            mlp_only_layers=[],
            attention_bias=False,
            use_sliding_window=False,
        ),
        "class": "Qwen3Moe",
    },
    "deepseek_v2_lite": {
        "config": deepseek(
            model_type="deepseek_v2",
            num_attention_heads=4,
            q_lora_rank=None,
            v_head_dim=16,
            rope_theta=10000.0,
            rope_scaling=yarn(0.707),
            n_routed_experts=8,
            n_shared_experts=2,
            num_experts_per_tok=3,
            first_k_dense_replace=1,
            n_group=1,
            topk_group=1,
            topk_method="greedy",
            norm_topk_prob=False,
            routed_scaling_factor=1.0,
        ),
        "classic_only": {"scoring_func": "softmax", "moe_layer_freq": 1},
        "class": "DeepseekV2",
    },
    "deepseek_v2": {
        "config": deepseek(
            model_type="deepseek_v2",
            num_attention_heads=4,
            q_lora_rank=48,
            v_head_dim=24,
            rope_theta=500.0,
            rope_scaling=yarn(0.707),
            n_routed_experts=16,
            n_shared_experts=2,
            num_experts_per_tok=4,
            first_k_dense_replace=2,
            n_group=4,
            topk_group=2,
            topk_method="group_limited_greedy",
            norm_topk_prob=False,
            routed_scaling_factor=4.0,
        ),
        "classic_only": {"scoring_func": "softmax", "moe_layer_freq": 1},
        "class": "DeepseekV2",
    },
    # With theta 500 the YaRN ramp over the four pairs is 0, 0.5, 1, 1 (with 10000 it is 0, 1, 1, 1).
    "deepseek_v3": {
        "config": deepseek(
            model_type="deepseek_v3",
            num_attention_heads=8,
            q_lora_rank=48,
            v_head_dim=16,
            rope_theta=500.0,
            rope_scaling=yarn(1.0),
            n_routed_experts=16,
            n_shared_experts=1,
            num_experts_per_tok=4,
            first_k_dense_replace=2,
            n_group=4,
            topk_group=2,
            norm_topk_prob=True,
            routed_scaling_factor=2.5,
        ),
        "classic_only": {
            "scoring_func": "sigmoid",
            "topk_method": "noaux_tc",
            "moe_layer_freq": 1,
            "num_nextn_predict_layers": 1,
        },
        "class": "DeepseekV3",
    },
}

QUANTISED = ("fp8_linear", "gptq_linear", "awq_linear")


def family_of(config):
    return config["model_type"]


def is_mla(config):
    return "kv_lora_rank" in config


def head_dim(config):
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def routing(config):
    """Experts, how many of them a token takes, groups, groups kept, and how scores come about; None when dense."""
    family = family_of(config)
    if family == "mixtral":
        return {"experts": config["num_local_experts"], "k": config["num_experts_per_tok"], "groups": 1, "kept": 1}
    if family == "qwen3_moe":
        return {"experts": config["num_experts"], "k": config["num_experts_per_tok"], "groups": 1, "kept": 1}
    if is_mla(config):
        return {
            "experts": config["n_routed_experts"],
            "k": config["num_experts_per_tok"],
            "groups": config["n_group"],
            "kept": config["topk_group"],
        }
    return None


# ---------------------------------------------------------------------------------------------------------------------
# Shapes: every tensor of the checkpoint, under its Hugging Face name. No torch in this part.
# A kind says how it is drawn: ("linear", gain) is normal with std gain / sqrt(fan in); then ("embed", std), "norm",
# "bias" and "ebias".
# ---------------------------------------------------------------------------------------------------------------------


def attention_shapes(config, at):
    d_model, heads = config["hidden_size"], config["num_attention_heads"]
    sharp, wide, plain = ("linear", 1.5), ("linear", 2.0), ("linear", 1.0)
    if is_mla(config):
        nope, rope, v = config["qk_nope_head_dim"], config["qk_rope_head_dim"], config["v_head_dim"]
        latent, q_latent = config["kv_lora_rank"], config["q_lora_rank"]
        if q_latent is None:
            yield f"{at}q_proj.weight", (heads * (nope + rope), d_model), sharp
        else:
            yield f"{at}q_a_proj.weight", (q_latent, d_model), plain
            yield f"{at}q_a_layernorm.weight", (q_latent,), "norm"
            yield f"{at}q_b_proj.weight", (heads * (nope + rope), q_latent), sharp
        yield f"{at}kv_a_proj_with_mqa.weight", (latent + rope, d_model), plain
        yield f"{at}kv_a_layernorm.weight", (latent,), "norm"
        yield f"{at}kv_b_proj.weight", (heads * (nope + v), latent), plain
        yield f"{at}o_proj.weight", (d_model, heads * v), wide
        return
    d, kv = head_dim(config), config["num_key_value_heads"]
    for name, rows, kind in (("q", heads * d, sharp), ("k", kv * d, plain), ("v", kv * d, plain)):
        yield f"{at}{name}_proj.weight", (rows, d_model), kind
        if family_of(config) == "qwen2":
            yield f"{at}{name}_proj.bias", (rows,), "bias"
    if family_of(config) in ("qwen3", "qwen3_moe"):
        yield f"{at}q_norm.weight", (d,), "norm"
        yield f"{at}k_norm.weight", (d,), "norm"
    yield f"{at}o_proj.weight", (d_model, heads * d), wide


def ffn_shapes(at, d_model, width, names=("gate_proj", "up_proj", "down_proj")):
    gate, up, down = names
    yield f"{at}{gate}.weight", (width, d_model), ("linear", 1.0)
    yield f"{at}{up}.weight", (width, d_model), ("linear", 1.0)
    yield f"{at}{down}.weight", (d_model, width), ("linear", 2.0)


def mlp_shapes(config, layer):
    d_model, family = config["hidden_size"], family_of(config)
    route = routing(config)
    if route is None or layer < config.get("first_k_dense_replace", 0):
        yield from ffn_shapes(f"model.layers.{layer}.mlp.", d_model, config["intermediate_size"])
        return
    if family == "mixtral":
        at, names, width = f"model.layers.{layer}.block_sparse_moe.", ("w1", "w3", "w2"), config["intermediate_size"]
    else:
        at, names = f"model.layers.{layer}.mlp.", ("gate_proj", "up_proj", "down_proj")
        width = config["moe_intermediate_size"]
    yield f"{at}gate.weight", (route["experts"], d_model), ("linear", 1.5)
    if family == "deepseek_v3":
        yield f"{at}gate.e_score_correction_bias", (route["experts"],), "ebias"
    for expert in range(route["experts"]):
        yield from ffn_shapes(f"{at}experts.{expert}.", d_model, width, names)
    if config.get("n_shared_experts"):
        yield from ffn_shapes(f"{at}shared_experts.", d_model, width * config["n_shared_experts"])


def layer_shapes(config, layer):
    at = f"model.layers.{layer}."
    yield f"{at}input_layernorm.weight", (config["hidden_size"],), "norm"
    yield from attention_shapes(config, f"{at}self_attn.")
    yield f"{at}post_attention_layernorm.weight", (config["hidden_size"],), "norm"
    yield from mlp_shapes(config, layer)


def mtp_layers(spec):
    return spec.get("classic_only", {}).get("num_nextn_predict_layers", 0)


def mtp_shapes(spec):
    config = spec["config"]
    d_model = config["hidden_size"]
    for layer in range(config["num_hidden_layers"], config["num_hidden_layers"] + mtp_layers(spec)):
        at = f"model.layers.{layer}."
        yield f"{at}enorm.weight", (d_model,), "norm"
        yield f"{at}hnorm.weight", (d_model,), "norm"
        yield f"{at}eh_proj.weight", (d_model, 2 * d_model), ("linear", 1.0)
        yield from layer_shapes(config, layer)
        yield f"{at}shared_head.norm.weight", (d_model,), "norm"


def model_shapes(spec):
    config = spec["config"]
    d_model, vocab = config["hidden_size"], config["vocab_size"]
    yield "model.embed_tokens.weight", (vocab, d_model), ("embed", 0.25 if config["tie_word_embeddings"] else 1.0)
    for layer in range(config["num_hidden_layers"]):
        yield from layer_shapes(config, layer)
    yield "model.norm.weight", (d_model,), "norm"
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", (vocab, d_model), ("linear", 1.5)


def stored_bytes(kind):
    return 4 if kind == "ebias" else 2


def sizes_table():
    lines = [
        "| fixture | layers | D | F (expert) | heads / kv | head dim | experts | parameters | weights KB | logits KB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    total = 0
    for name, spec in FAMILIES.items():
        config = spec["config"]
        shapes = list(model_shapes(spec)) + list(mtp_shapes(spec))
        parameters = sum(math.prod(shape) for _, shape, _ in shapes)
        weights = sum(math.prod(shape) * stored_bytes(kind) for _, shape, kind in shapes) + 112 * len(shapes)
        rows = TOKENS + (TOKENS - 1 if mtp_layers(spec) else 0)
        logits = rows * config["vocab_size"] * 4 + 4 * TOKENS
        total += weights + logits + 2000
        route = routing(config)
        if route is None:
            width, experts = str(config["intermediate_size"]), "-"
        elif family_of(config) == "mixtral":
            width, experts = f"- ({config['intermediate_size']})", f"{route['experts']} top {route['k']}"
        else:
            width = f"({config['moe_intermediate_size']})"
            width = f"{config['intermediate_size']} {width}" if is_mla(config) else f"- {width}"
            experts = f"{route['experts']} top {route['k']}"
            if route["groups"] > 1:
                experts += f", groups {route['groups']}/{route['kept']}"
            if config.get("n_shared_experts"):
                experts += f", {config['n_shared_experts']} shared"
        if is_mla(config):
            heads = str(config["num_attention_heads"])
            dim = f"{config['qk_nope_head_dim']}+{config['qk_rope_head_dim']} / {config['v_head_dim']}"
        else:
            heads = f"{config['num_attention_heads']} / {config['num_key_value_heads']}"
            dim = str(head_dim(config))
        layers = f"{config['num_hidden_layers']}" + (" + MTP" if mtp_layers(spec) else "")
        lines.append(
            f"| {name} | {layers} | {config['hidden_size']} | {width} | {heads} | {dim} | {experts} | {parameters} "
            f"| {weights / 1000:.0f} | {logits / 1000:.0f} |"
        )
    lines.append("")
    lines.append(f"Together, with headers and config.json: about {total / 1e6:.2f} MB; quantised/ adds 0.15 MB.")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------------------------
# From here on torch is needed.
# ---------------------------------------------------------------------------------------------------------------------

torch = None
transformers = None
save_file = None


def import_libraries(with_transformers):
    global torch, transformers, save_file
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch as torch_module
    from safetensors.torch import save_file as save

    torch, save_file = torch_module, save
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    try:
        torch.set_float32_matmul_precision("highest")
        torch.use_deterministic_algorithms(True, warn_only=True)
    except Exception as error:  # neither matters on the CPU
        print(f"  note: {error}")
    if with_transformers:
        import transformers as transformers_module

        transformers = transformers_module


def generator(*words):
    digest = hashlib.sha256("/".join((SEED,) + tuple(str(w) for w in words)).encode()).digest()
    return torch.Generator(device="cpu").manual_seed(int.from_bytes(digest[:7], "little"))


def round_bf16(x):
    return x.to(torch.bfloat16).to(torch.float32)


def draw(fixture, attempt, name, shape, kind):
    """One tensor in fp32 whose every value is a bf16 value."""
    g = generator(fixture, attempt, name)
    if kind == "norm":
        x = 1 + 0.1 * torch.randn(shape, generator=g)
    elif kind == "bias":
        x = 0.1 * torch.randn(shape, generator=g)
    elif kind == "ebias":  # never negative: see README.md, masked groups
        x = 0.1 * torch.rand(shape, generator=g)
    elif kind[0] == "embed":
        x = kind[1] * torch.randn(shape, generator=g)
    else:
        x = kind[1] / math.sqrt(shape[-1]) * torch.randn(shape, generator=g)
    return round_bf16(x)


def draw_all(fixture, attempt, shapes):
    out = {}
    for name, shape, kind in shapes:
        if name in out:
            raise AssertionError(f"{name} twice")
        out[name] = draw(fixture, attempt, name, shape, kind)
    return out


def save_weights(path, weights):
    stored = {}
    for name, value in weights.items():
        plain = name.endswith("e_score_correction_bias")
        stored[name] = (value if plain else value.to(torch.bfloat16)).contiguous().clone()
        if not torch.equal(stored[name].to(torch.float32), value):
            raise AssertionError(f"{name} is not made of bf16 values")
    save_file(stored, path, metadata={"format": "pt"})


class Report:
    """What went wrong and what is worth knowing, for one fixture."""

    def __init__(self, name):
        self.name = name
        self.errors = []
        self.warnings = []
        self.facts = {}

    def error(self, text):
        self.errors.append(text)
        print(f"  ERROR: {text}")

    def warn(self, text):
        self.warnings.append(text)
        print(f"  warning: {text}")

    def fact(self, key, value):
        self.facts[key] = value
        print(f"  {key}: {value}")


# ---------------------------------------------------------------------------------------------------------------------
# The transformers model
# ---------------------------------------------------------------------------------------------------------------------


def rope_parameters(config):
    rope = {"rope_theta": config["rope_theta"]}
    rope.update(copy.deepcopy(config["rope_scaling"]) if config["rope_scaling"] else {"rope_type": "default"})
    return rope


def make_config(spec, **changes):
    config = {k: v for k, v in spec["config"].items() if k not in ("rope_theta", "rope_scaling", "model_type")}
    config.update(changes)
    cls = getattr(transformers, spec["class"] + "Config")
    if cls.model_type != family_of(spec["config"]):
        raise AssertionError(f"{cls.__name__} is of type {cls.model_type}")
    hf = cls(**config, rope_parameters=rope_parameters(spec["config"]))
    for key in ("_attn_implementation", "_experts_implementation"):
        try:
            setattr(hf, key, "eager")
        except Exception as error:
            print(f"  note: {key} cannot be set: {error}")
    return hf


def make_model(spec):
    hf = make_config(spec)
    model = getattr(transformers, spec["class"] + "ForCausalLM")(hf)
    model = model.to(torch.float32).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def force_eager(model, report):
    config = model.config
    if getattr(config, "_attn_implementation", "eager") != "eager":
        model.set_attn_implementation("eager")
    if getattr(config, "_experts_implementation", "eager") not in ("eager", None):
        model.set_experts_implementation("eager")
    for key in ("_attn_implementation", "_experts_implementation"):
        value = getattr(config, key, "(no such attribute)")
        report.fact(key, value)
        if key == "_attn_implementation" and value != "eager":
            report.error(f"attention is {value}, not eager")
        # None would mean the version's default, which may be grouped_mm.
        if key == "_experts_implementation" and value in ("grouped_mm", "batched_mm"):
            report.warn(f"experts are computed with {value}")


def fused(weights, prefix, which, count):
    """The [E, ...] tensor of transformers 5 out of the per-expert tensors. `prefix` ends before the expert's number."""
    mixtral = "block_sparse_moe" in prefix
    gate, up, down = ("w1", "w3", "w2") if mixtral else ("gate_proj", "up_proj", "down_proj")
    parts, used = [], []
    for expert in range(count):
        names = (gate, up) if which == "gate_up_proj" else (down,)
        keys = [f"{prefix}{expert}.{n}.weight" for n in names]
        used += keys
        parts.append(torch.cat([weights[k] for k in keys], dim=0))
    return torch.stack(parts), used


def fill(module, weights, prefix, config, tied=False):
    """Puts checkpoint tensors into a module; every tensor of either side must find its partner."""
    used = set()
    route = routing(config)
    for key, target in module.state_dict().items():
        name = prefix + key
        if name.endswith("rotary_emb.inv_freq") or name.endswith("rotary_emb.original_inv_freq"):
            continue
        if tied and name == "lm_head.weight":
            continue
        candidates = [name]
        if family_of(config) == "mixtral":
            candidates.append(name.replace(".mlp.", ".block_sparse_moe."))
        if family_of(config) == "deepseek_v3" and name.endswith(".mlp.e_score_correction_bias"):
            candidates.append(name.replace(".mlp.e_score", ".mlp.gate.e_score"))
        value, keys = None, []
        for candidate in candidates:
            if candidate in weights:
                value, keys = weights[candidate], [candidate]
                break
        if value is None:
            match = re.fullmatch(r"(.*\.experts\.)(gate_up_proj|down_proj)(\.weight)?", candidates[-1])
            if match is None:
                raise AssertionError(f"transformers has {name} {tuple(target.shape)}, the table has no such tensor")
            value, keys = fused(weights, match.group(1), match.group(2), route["experts"])
        if tuple(value.shape) != tuple(target.shape):
            raise AssertionError(f"{name} is {tuple(target.shape)} in transformers, {tuple(value.shape)} in the table")
        target.copy_(value)
        used.update(keys)
    missing = sorted(set(weights) - used)
    if missing:
        raise AssertionError(f"transformers has no place for {missing[:5]} ({len(missing)} tensors)")


def check_filled(module, weights, prefix):
    """copy_ into state_dict() must have reached the live parameters."""
    for key, parameter in module.named_parameters():
        value = weights.get(prefix + key)
        if value is not None and not torch.equal(parameter.detach(), value):
            raise AssertionError(f"{prefix + key} did not take its value")


def tie(model, config):
    if not config["tie_word_embeddings"]:
        if model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr():
            raise AssertionError("the head is tied and must not be")
        return
    if model.lm_head.weight.data_ptr() != model.model.embed_tokens.weight.data_ptr():
        model.lm_head.weight = model.model.embed_tokens.weight


# ---------------------------------------------------------------------------------------------------------------------
# Own formulae, in doubles, against what transformers made of the configuration
# ---------------------------------------------------------------------------------------------------------------------


def mscale_of(factor, mscale):
    return 1.0 if factor <= 1 else 0.1 * mscale * math.log(factor) + 1.0


def own_inv_freq(config):
    dim = config["qk_rope_head_dim"] if is_mla(config) else head_dim(config)
    theta = config["rope_theta"]
    plain = [theta ** (-2.0 * i / dim) for i in range(dim // 2)]
    rope = config["rope_scaling"]
    if rope is None:
        return plain
    original, factor = rope["original_max_position_embeddings"], rope["factor"]
    if rope["rope_type"] == "llama3":
        out = []
        low, high = rope["low_freq_factor"], rope["high_freq_factor"]
        for f in plain:
            wavelength = 2 * math.pi / f
            if wavelength > original / low:
                out.append(f / factor)
            elif wavelength < original / high:
                out.append(f)
            else:
                s = (original / wavelength - low) / (high - low)
                out.append((1 - s) * f / factor + s * f)
        return out
    assert rope["rope_type"] == "yarn"

    def corr(rotations):
        return dim * math.log(original / (2 * math.pi * rotations)) / (2 * math.log(theta))

    low = max(math.floor(corr(rope["beta_fast"])), 0)
    high = min(math.ceil(corr(rope["beta_slow"])), dim - 1)
    span = (high - low) or 0.001
    out = []
    for i, f in enumerate(plain):
        ramp = min(max((i - low) / span, 0.0), 1.0)
        out.append(f / factor * ramp + f * (1 - ramp))
    return out


def own_attention_factor(config):
    """What cos and sin are multiplied by."""
    rope = config["rope_scaling"]
    if rope is None or rope["rope_type"] != "yarn":
        return 1.0
    return mscale_of(rope["factor"], rope["mscale"]) / mscale_of(rope["factor"], rope["mscale_all_dim"])


def own_softmax_scale(config):
    if not is_mla(config):
        return head_dim(config) ** -0.5
    scale = (config["qk_nope_head_dim"] + config["qk_rope_head_dim"]) ** -0.5
    rope = config["rope_scaling"]
    return scale * mscale_of(rope["factor"], rope["mscale_all_dim"]) ** 2 if rope else scale


def close(a, b, tolerance=2e-6):
    return abs(a - b) <= tolerance * max(abs(a), abs(b), 1e-30)


def attentions(model):
    return [layer.self_attn for layer in model.model.layers]


def check_scales(attention_modules, config, report, where="model"):
    expected = own_softmax_scale(config)
    unscaled = (config["qk_nope_head_dim"] + config["qk_rope_head_dim"]) ** -0.5 if is_mla(config) else expected
    values = sorted({float(a.scaling) for a in attention_modules})
    report.fact(f"softmax scale of the {where}", values)
    for a in attention_modules:
        if close(float(a.scaling), expected):
            continue
        # transformers before pull request 47435 (July 2026) left m^2 out of DeepSeek-V2. Real V2 has it.
        if close(float(a.scaling), unscaled):
            a.scaling = expected
            text = f"transformers left YaRN's m^2 out of the softmax scale: {unscaled} replaced by {expected}"
            if text not in report.warnings:
                report.warn(text)
        else:
            report.error(f"softmax scale {float(a.scaling)}, expected {expected}")


def check_rope(model, config, report):
    rotary = model.model.rotary_emb
    theirs = [float(f) for f in rotary.inv_freq.to(torch.float64)]
    ours = own_inv_freq(config)
    report.fact("inv_freq", theirs)
    if len(theirs) != len(ours) or not all(close(a, b) for a, b in zip(theirs, ours)):
        report.error(f"inv_freq {theirs}, expected {ours}")
    factor = float(getattr(rotary, "attention_scaling", 1.0))
    report.fact("cos and sin times", factor)
    if not close(factor, own_attention_factor(config)):
        report.error(f"attention_scaling {factor}, expected {own_attention_factor(config)}")
    if family_of(config) == "deepseek_v3":
        interleave = getattr(model.config, "rope_interleave", None)
        report.fact("rope_interleave", interleave)
        if interleave is not True:
            report.error("rope_interleave is not true")
    if family_of(config) == "deepseek_v2":
        turns = rotary(torch.zeros(1, 2, config["hidden_size"]), position_ids=torch.arange(2)[None])
        complex_view = torch.is_tensor(turns) and torch.is_complex(turns)
        report.fact("rope pairs as complex numbers (interleaved)", complex_view)
        if not complex_view:
            report.warn("DeepSeek-V2's rotary embedding is not complex: look whether its pairs are still interleaved")


def check_config(model, config, report):
    """The configuration that transformers holds has our values; keys it does not know are listed."""
    unknown = []
    for key, value in config.items():
        if key in ("rope_theta", "rope_scaling"):
            continue
        held = getattr(model.config, key, "(none)")
        if isinstance(held, str) and held == "(none)":
            unknown.append(key)
        elif held != value and not (isinstance(value, list) and list(held or []) == value):
            if key == "head_dim" and is_mla(config):
                continue
            report.error(f"{key} is {held!r} in transformers, {value!r} here")
    if unknown:
        report.warn(f"transformers does not know {unknown}")
    eps = {
        name: float(module.variance_epsilon)
        for name, module in model.named_modules()
        if hasattr(module, "variance_epsilon")
    }
    if set(eps.values()) != {config["rms_norm_eps"]}:
        report.error(f"epsilons differ: {sorted(set(eps.values()))}, expected {config['rms_norm_eps']}")
    held = getattr(model.config, "rope_parameters", None)
    report.fact("rope_parameters", json.loads(json.dumps(held, default=str)))


def router_source(model, report):
    """The line with which this version masks groups, for the record."""
    lines = set()
    for module in model.modules():
        if "Moe" in type(module).__name__ or "MoE" in type(module).__name__ or "Router" in type(module).__name__:
            try:
                source = inspect.getsource(type(module))
            except (OSError, TypeError):
                continue
            lines.update(line.strip() for line in source.splitlines() if "masked_fill" in line)
    if lines:
        report.fact("groups are masked by", sorted(lines))


# ---------------------------------------------------------------------------------------------------------------------
# Router decisions: how far from a tie, recomputed in fp64 from the inputs of the MoE blocks
# ---------------------------------------------------------------------------------------------------------------------


def relative_gap(kept, dropped):
    return ((kept - dropped) / kept.abs().clamp_min(1e-30)).min().item()


def smallest_gap(x, gate, bias, config):
    route = routing(config)
    logits = x.to(torch.float64) @ gate.to(torch.float64).T
    sigmoid = family_of(config) == "deepseek_v3"
    score = torch.sigmoid(logits) if sigmoid else torch.softmax(logits, dim=-1)
    choice = score + bias.to(torch.float64) if bias is not None else score
    gap = math.inf
    if route["groups"] > 1 and route["kept"] < route["groups"]:
        grouped = choice.view(choice.shape[0], route["groups"], -1)
        group = grouped.topk(2, dim=-1).values.sum(-1) if sigmoid else grouped.max(dim=-1).values
        order = group.sort(dim=-1, descending=True)
        gap = min(gap, relative_gap(order.values[:, route["kept"] - 1], order.values[:, route["kept"]]))
        mask = torch.full_like(group, -math.inf).scatter(1, order.indices[:, : route["kept"]], 0.0)
        choice = (grouped + mask.unsqueeze(-1)).reshape(choice.shape)
    order = choice.sort(dim=-1, descending=True).values
    kept, dropped = order[:, route["k"] - 1], order[:, route["k"]]
    finite = torch.isfinite(dropped)
    return min(gap, relative_gap(kept[finite], dropped[finite])) if finite.any() else gap


class RouterWatch:
    """Hooks the MoE blocks and keeps the smallest gap seen. `layers` maps a layer's number to its decoder layer."""

    def __init__(self, layers, weights, config):
        self.gap = math.inf
        self.decisions = 0
        self.handles = []
        for number, layer in layers.items():
            if not hasattr(layer.mlp, "experts"):
                continue
            kind = "block_sparse_moe" if family_of(config) == "mixtral" else "mlp"
            gate = weights[f"model.layers.{number}.{kind}.gate.weight"]
            bias = weights.get(f"model.layers.{number}.{kind}.gate.e_score_correction_bias")
            self.handles.append(layer.mlp.register_forward_pre_hook(self.hook(gate, bias, config)))

    def hook(self, gate, bias, config):
        def look(_module, arguments):
            x = arguments[0].reshape(-1, gate.shape[1])
            self.gap = min(self.gap, smallest_gap(x, gate, bias, config))
            self.decisions += x.shape[0]

        return look

    def remove(self):
        for handle in self.handles:
            handle.remove()


# ---------------------------------------------------------------------------------------------------------------------
# Runs
# ---------------------------------------------------------------------------------------------------------------------


def draw_tokens(fixture):
    # 0 and 1 are begin and end of text; they are ordinary tokens here, but stay out of the way.
    return torch.randint(2, VOCAB, (1, TOKENS), generator=generator(fixture, "tokens"))


def full_logits(model, ids, use_cache):
    return model(input_ids=ids, use_cache=use_cache).logits[0].to(torch.float32)


def stepped_logits(model, ids):
    """64 tokens at once, then 32 one by one through the cache."""
    out = model(input_ids=ids[:, :PROMPT], use_cache=True)
    rows, cache = [out.logits[0]], out.past_key_values
    for i in range(PROMPT, TOKENS):
        out = model(input_ids=ids[:, i : i + 1], past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        rows.append(out.logits[0])
    return torch.cat(rows).to(torch.float32)


def causal_mask(n):
    return torch.full((n, n), torch.finfo(torch.float32).min).triu(1)[None, None]


class Mtp:
    """DeepSeek-V3's multi-token prediction module, composed of the classes of transformers.

    h_i is the main model's hidden state AFTER its final norm: that is what vLLM (deepseek_mtp.py, the eagle proposer)
    and SGLang hand over. e_i is the embedding of the NEXT token, t_{i+1}. The block works on row i = 0 .. n-2 and its
    logits predict t_{i+2}. Positions are those of the main model's tokens, i: vLLM shifts the input ids by one and
    leaves the positions. Shifting them too would change nothing but rounding, since RoPE only sees distances (measured
    below). vLLM also zeroes e in the row of position 0; the paper does not, and neither does this.
    """

    def __init__(self, spec, model, report):
        self.model, self.config = model, spec["config"]
        number = self.config["num_hidden_layers"]
        self.at = f"model.layers.{number}."
        layer_class = type(model.model.layers[-1])
        # A configuration of one layer more, in case a version keeps lists per layer; never used for a whole model.
        hf = make_config(spec, num_hidden_layers=number + 1)
        self.layer = layer_class(hf, number).to(torch.float32).eval()
        check_scales([self.layer.self_attn], self.config, report, "MTP layer")
        norm_class = type(model.model.norm)
        self.norms = {
            name: norm_class(self.config["hidden_size"], eps=self.config["rms_norm_eps"])
            for name in ("enorm", "hnorm", "shared_head.norm")
        }
        self.eh_proj = None

    def fill(self, weights):
        own = re.compile(r"\.(enorm|hnorm|eh_proj|shared_head\.norm)\.weight$")
        fill(self.layer, {k: v for k, v in weights.items() if not own.search(k)}, self.at, self.config)
        check_filled(self.layer, weights, self.at)
        for name, norm in self.norms.items():
            norm.weight.copy_(weights[f"{self.at}{name}.weight"])
        self.eh_proj = weights[f"{self.at}eh_proj.weight"]

    def logits(self, ids, hidden, shift=0):
        e = self.norms["enorm"](self.model.model.embed_tokens(ids[:, 1:]))
        h = self.norms["hnorm"](hidden[:, :-1])
        x = torch.nn.functional.linear(torch.cat([e, h], dim=-1), self.eh_proj)
        positions = torch.arange(x.shape[1])[None] + shift
        out = self.layer(
            x,
            attention_mask=causal_mask(x.shape[1]),
            position_ids=positions,
            position_embeddings=self.model.model.rotary_emb(x, position_ids=positions),
            past_key_values=None,
            use_cache=False,
        )
        out = out[0] if isinstance(out, (tuple, list)) else out
        return self.model.lm_head(self.norms["shared_head.norm"](out))[0].to(torch.float32)


def difference(a, b):
    return (a.to(torch.float64) - b.to(torch.float64)).abs().max().item()


def sensitivities(model, ids, logits, config, report):
    """How far the logits move when one ingredient is left out: a fixture that does not move proves nothing."""

    def moved(what, apply, undo):
        try:
            apply()
            report.fact(f"moved by leaving out {what}", round(difference(full_logits(model, ids, False), logits), 5))
            if report.facts[f"moved by leaving out {what}"] < 0.01:
                report.warn(f"{what} hardly matters in this fixture")
        except Exception as error:
            report.warn(f"sensitivity to {what} not measured: {error!r}")
        finally:
            undo()

    if config["rope_scaling"]:
        rotary = model.model.rotary_emb
        kept = rotary.inv_freq.clone()
        plain = dict(config, rope_scaling=None)
        moved(
            "the scaling of the rope frequencies",
            lambda: rotary.inv_freq.copy_(torch.tensor(own_inv_freq(plain))),
            lambda: rotary.inv_freq.copy_(kept),
        )
    if is_mla(config):
        scales = [a.scaling for a in attentions(model)]
        plain_scale = (config["qk_nope_head_dim"] + config["qk_rope_head_dim"]) ** -0.5

        def set_scales(values):
            for a, value in zip(attentions(model), values):
                a.scaling = value

        moved("m^2", lambda: set_scales([plain_scale] * len(scales)), lambda: set_scales(scales))
    for what, pattern in (
        ("e_score_correction_bias", r"e_score_correction_bias$"),
        ("the biases of q, k and v", r"self_attn\.[qkv]_proj\.bias$"),
        ("the weights of q_norm and k_norm", r"self_attn\.[qk]_norm\.weight$"),
    ):
        found = {k: v for k, v in model.state_dict().items() if re.search(pattern, k)}
        if not found:
            continue
        saved = {k: v.clone() for k, v in found.items()}
        neutral = 1.0 if "norm" in pattern else 0.0

        def zero(found=found, neutral=neutral):
            for value in found.values():
                value.fill_(neutral)

        def restore(found=found, saved=saved):
            for key, value in found.items():
                value.copy_(saved[key])

        moved(what, zero, restore)


def write_config(model, spec, folder):
    """What transformers saved, plus the classic keys: it leaves defaults out, and v5 keeps rope_theta elsewhere."""
    try:
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(folder)
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            saved = json.load(file)
    except Exception as error:
        print(f"  note: config.save_pretrained failed, writing the classic keys alone: {error!r}")
        saved = {"architectures": [type(model).__name__]}
    for key in list(saved):
        if key.startswith("_") or key.endswith("_implementation"):
            del saved[key]
    saved.update(spec["config"])
    saved.update(spec.get("classic_only", {}))
    saved["dtype"] = saved["torch_dtype"] = "bfloat16"
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(saved, file, indent=1)
        file.write("\n")


def check_reload(folder, spec, ids, logits, report):
    """The folder as a user of transformers would load it: our names, our splitting of the experts, our config.json."""
    cls = getattr(transformers, spec["class"] + "ForCausalLM")
    try:
        loaded = cls.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager"
        )
    except TypeError:
        try:
            loaded = cls.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        except Exception as error:
            report.warn(f"not loaded again: {error!r}")
            return
    except Exception as error:
        report.warn(f"not loaded again: {error!r}")
        return
    try:
        loaded = loaded.to(torch.float32).eval()
        quiet = Report(report.name)
        check_scales(attentions(loaded), spec["config"], quiet, "reloaded model")
        worst = difference(full_logits(loaded, ids, False), logits)
    except Exception as error:
        report.warn(f"loaded again, but it does not run: {error!r}")
        return
    report.fact("loaded again with from_pretrained, logits differ by", worst)
    if worst > 1e-4 * max(1.0, logits.std().item()):
        report.error(f"from_pretrained gives other logits: {worst}")


def make_family(name, out_dir, report):
    spec = FAMILIES[name]
    config = spec["config"]
    folder = os.path.join(out_dir, name)
    os.makedirs(folder, exist_ok=True)
    model = make_model(spec)
    force_eager(model, report)
    tie(model, config)
    for module in model.modules():  # a version of DeepSeek-V2's router read an attribute that it never set
        if hasattr(module, "route_tokens_to_experts") and not hasattr(module, "num_experts"):
            module.num_experts = routing(config)["experts"]
    check_config(model, config, report)
    check_rope(model, config, report)
    check_scales(attentions(model), config, report)
    router_source(model, report)

    ids = draw_tokens(name)
    layers = dict(enumerate(model.model.layers))
    mtp = Mtp(spec, model, report) if mtp_layers(spec) else None
    if mtp is not None:
        layers[config["num_hidden_layers"]] = mtp.layer
    # Weights are drawn again until no router decision is near a tie.
    for attempt in range(ATTEMPTS):
        weights = draw_all(name, attempt, model_shapes(spec))
        mtp_weights = draw_all(name, attempt, mtp_shapes(spec))
        fill(model, weights, "", config, config["tie_word_embeddings"])
        check_filled(model, weights, "")
        if mtp is not None:
            mtp.fill(mtp_weights)
        watch = RouterWatch(layers, {**weights, **mtp_weights}, config)
        logits = full_logits(model, ids, False)
        mtp_logits = None
        if mtp is not None:
            hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
            mtp_logits = mtp.logits(ids, hidden)
        watch.remove()
        if routing(config) is None or watch.gap >= ROUTER_GAP:
            break
    else:
        report.warn(f"after {ATTEMPTS} attempts a router decision is still {watch.gap:.2e} from a tie")
    report.fact("attempt", attempt)
    if routing(config) is not None:
        report.fact("smallest relative router gap", watch.gap)
        report.fact("router decisions looked at", watch.decisions)
        if watch.decisions == 0:
            report.error("no MoE block was seen")

    # Nothing may be degenerate.
    report.fact("logits: std", logits.std().item())
    report.fact("logits: distinct argmax", len(set(logits.argmax(-1).tolist())))
    if not torch.isfinite(logits).all() or logits.std().item() < 0.1:
        report.error("the logits are degenerate")
    if tuple(logits.shape) != (TOKENS, VOCAB):
        report.error(f"logits are {tuple(logits.shape)}")

    # With a cache, and in steps.
    bound = 2e-4 * max(1.0, logits.std().item())
    for what, other in (
        ("use_cache, logits differ by", full_logits(model, ids, True)),
        (f"{PROMPT} tokens and {DECODE} steps, logits differ by", stepped_logits(model, ids)),
    ):
        worst = difference(other, logits)
        report.fact(what, worst)
        if not worst <= bound:
            report.error(f"{what} {worst}")

    stored = {"tokens": ids[0].to(torch.int32), "logits": logits}
    if mtp_logits is not None:
        report.fact("MTP logits: std", mtp_logits.std().item())
        shifted = difference(mtp.logits(ids, hidden, 1), mtp_logits)
        report.fact("MTP with positions shifted by one, logits differ by", shifted)
        before_norm = hidden_before_norm(model, ids)
        if before_norm is not None:
            moved = difference(mtp.logits(ids, before_norm), mtp_logits)
            report.fact("MTP fed before the final norm instead, logits differ by", moved)
        # The module is causal: the first half alone gives the same rows.
        half = TOKENS // 2
        worst = difference(mtp.logits(ids[:, :half], hidden[:, :half]), mtp_logits[: half - 1])
        report.fact("MTP on the first half alone, logits differ by", worst)
        if not worst <= bound:
            report.error(f"the MTP module is not causal: {worst}")
        if tuple(mtp_logits.shape) != (TOKENS - 1, VOCAB) or not torch.isfinite(mtp_logits).all():
            report.error("the MTP logits are wrong")
        stored["mtp_logits"] = mtp_logits

    save_weights(os.path.join(folder, "model.safetensors"), {**weights, **mtp_weights})
    save_file({k: v.contiguous().clone() for k, v in stored.items()}, os.path.join(folder, "logits.safetensors"))
    write_config(model, spec, folder)
    sensitivities(model, ids, logits, config, report)
    again = difference(full_logits(model, ids, False), logits)
    if again > bound:
        report.error(f"a second run gives other logits: {again}")
    elif again != 0:
        report.warn(f"a second run is not bit-equal: {again}")
    check_reload(folder, spec, ids, logits, report)


def hidden_before_norm(model, ids):
    seen = []
    handle = model.model.norm.register_forward_pre_hook(lambda _module, arguments: seen.append(arguments[0]))
    try:
        model.model(input_ids=ids, use_cache=False)
    except Exception:
        return None
    finally:
        handle.remove()
    return seen[0] if seen else None


# ---------------------------------------------------------------------------------------------------------------------
# Quantised linears: y = x W^T, formats as docs/engine.md and the packers define them. These need torch only.
# ---------------------------------------------------------------------------------------------------------------------

K = 256
GROUP = 128
NIBBLES = 8


def product(x, weight):
    return (x.to(torch.float64) @ weight.to(torch.float64).T).to(torch.float32)


def make_fp8_linear(path, report):
    n, block = 192, 128  # the second block of rows is a partial one
    g = generator("fp8_linear")
    weight = torch.randn((n, K), generator=g) / math.sqrt(K)
    rows, cols = -(-n // block), -(-K // block)
    sizes = torch.rand((rows, cols), generator=g) * 3 + 0.25  # so that a wrong block's scale shows
    x = torch.randn((4, K), generator=g)

    def spread(per_block):
        return torch.repeat_interleave(torch.repeat_interleave(per_block, block, 0), block, 1)[:n, :K]

    weight = weight * spread(sizes)
    scale = torch.zeros(rows, cols)
    for r in range(rows):
        for c in range(cols):
            part = weight[r * block : (r + 1) * block, c * block : (c + 1) * block]
            scale[r, c] = part.abs().max() / 448.0
    quantised = (weight / spread(scale)).clamp(-448.0, 448.0).to(torch.float8_e4m3fn)
    restored = quantised.to(torch.float32).to(torch.float64) * spread(scale).to(torch.float64)
    y = (x.to(torch.float64) @ restored.T).to(torch.float32)
    error = ((restored - weight).norm() / weight.norm()).item()
    report.fact("fp8 error of the weights", error)
    if not 0.005 < error < 0.06:
        report.error(f"fp8 rounding is off: {error}")
    save_file({"weight": quantised, "weight_scale_inv": scale, "x": x, "y": y}, path)


def to_int32(x):
    return torch.where(x >= 2**31, x - 2**32, x).to(torch.int32)


def pack_rows(q):
    """[K, N] of 0..15 to [K/8, N]: eight along K, the first in the lowest bits (GPTQ)."""
    k, n = q.shape
    shifts = (torch.arange(NIBBLES) * 4)[None, :, None]
    return to_int32((q.to(torch.int64).view(k // NIBBLES, NIBBLES, n) << shifts).sum(1))


def unpack_rows(packed):
    shifts = (torch.arange(NIBBLES) * 4)[None, :, None]
    k, n = packed.shape
    return ((packed.to(torch.int64)[:, None, :] >> shifts) & 15).reshape(k * NIBBLES, n)


def pack_columns(q, order):
    """[R, N] of 0..15 to [R, N/8]: eight along N, bits 4 i .. 4 i + 3 hold column order[i] of the eight."""
    r, n = q.shape
    shifts = (torch.arange(NIBBLES) * 4)[None, None, :]
    return to_int32((q.to(torch.int64).view(r, n // NIBBLES, NIBBLES)[:, :, order] << shifts).sum(2))


def unpack_columns(packed, order):
    shifts = (torch.arange(NIBBLES) * 4)[None, None, :]
    r, words = packed.shape
    nibbles = (packed.to(torch.int64)[:, :, None] >> shifts) & 15
    out = torch.empty_like(nibbles)
    out[:, :, order] = nibbles
    return out.reshape(r, words * NIBBLES)


PLAIN_ORDER = list(range(NIBBLES))
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def int4_parts(name, lowest_zero, highest_zero):
    n, groups = 32, K // GROUP
    g = generator(name)
    q = torch.randint(0, 16, (K, n), generator=g)
    zeros = torch.randint(lowest_zero, highest_zero + 1, (groups, n), generator=g)
    scales = (0.005 + 0.02 * torch.rand((groups, n), generator=g)).to(torch.float16)
    x = torch.randn((4, K), generator=g)
    group = torch.arange(K) // GROUP
    # [K, N]; a 11-bit scale times a 5-bit integer: exact in fp32.
    weight = scales.to(torch.float32)[group] * (q - zeros[group]).to(torch.float32)
    return q, zeros, scales, x, group, weight.T.contiguous()


def check_int4(report, q, zeros, scales, group, weight, got_q, got_zeros):
    if not torch.equal(got_q, q) or not torch.equal(got_zeros, zeros):
        report.error("unpacking does not give back what was packed")
    again = (scales.to(torch.float64)[group] * (got_q - got_zeros[group]).to(torch.float64)).T
    if not torch.equal(again, weight.to(torch.float64)):
        report.error("the stored weight is not what the packed tensors say")


def make_gptq_linear(path, report):
    # Stored zeros are one less: true zeros 1..16 fill the four bits.
    q, zeros, scales, x, group, weight = int4_parts("gptq_linear", 1, 16)
    qweight, qzeros = pack_rows(q), pack_columns(zeros - 1, PLAIN_ORDER)
    check_int4(report, q, zeros, scales, group, weight, unpack_rows(qweight), unpack_columns(qzeros, PLAIN_ORDER) + 1)
    tensors = {
        "qweight": qweight,
        "qzeros": qzeros,
        "scales": scales,
        "g_idx": group.to(torch.int32),
        "weight": weight,
        "x": x,
        "y": product(x, weight),
    }
    report.fact("shapes", {k: list(v.shape) for k, v in tensors.items()})
    save_file(tensors, path)


def make_awq_linear(path, report):
    q, zeros, scales, x, group, weight = int4_parts("awq_linear", 0, 15)
    qweight, qzeros = pack_columns(q, AWQ_ORDER), pack_columns(zeros, AWQ_ORDER)
    got_q, got_zeros = unpack_columns(qweight, AWQ_ORDER), unpack_columns(qzeros, AWQ_ORDER)
    check_int4(report, q, zeros, scales, group, weight, got_q, got_zeros)
    tensors = {
        "qweight": qweight,
        "qzeros": qzeros,
        "scales": scales,
        "weight": weight,
        "x": x,
        "y": product(x, weight),
    }
    report.fact("shapes", {k: list(v.shape) for k, v in tensors.items()})
    save_file(tensors, path)


def make_quantised(name, out_dir, report):
    folder = os.path.join(out_dir, "quantised")
    os.makedirs(folder, exist_ok=True)
    globals()[f"make_{name}"](os.path.join(folder, f"{name}.safetensors"), report)


# ---------------------------------------------------------------------------------------------------------------------


def folder_bytes(folder):
    return sum(os.path.getsize(os.path.join(at, f)) for at, _, files in os.walk(folder) for f in files)


def write_provenance(out_dir, date, reports):
    path = os.path.join(out_dir, "provenance.json")
    record = {"fixtures": {}}
    if os.path.exists(path):  # --only adds to what an earlier run said
        try:
            with open(path, encoding="utf-8") as file:
                record = json.load(file)
        except (OSError, ValueError):
            pass
    versions = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "transformers": str(transformers.__version__) if transformers is not None else None,
        "machine": platform.machine(),
    }
    record.update({"script": "tests/oracle/make_fixtures.py", "seed": SEED, "date": date, "versions": versions})
    for report in reports:
        record.setdefault("fixtures", {})[report.name] = {
            "versions": versions,
            "date": date,
            "errors": report.errors,
            "warnings": report.warnings,
            "facts": report.facts,
        }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1, default=str)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description="Makes the oracle fixtures; README.md says what they are.")
    parser.add_argument("out_dir", nargs="?", help="where the fixtures go")
    parser.add_argument("--only", action="append", metavar="NAME", help="one fixture (may be given again)")
    parser.add_argument("--date", default="", help="the day, for provenance.json")
    parser.add_argument("--sizes", action="store_true", help="print the table of sizes and leave")
    arguments = parser.parse_args()
    if arguments.sizes:
        print(sizes_table())
        return 0
    if not arguments.out_dir:
        parser.error("OUT_DIR is missing")
    known = list(FAMILIES) + list(QUANTISED)
    wanted = arguments.only or known
    for name in wanted:
        if name not in known:
            parser.error(f"{name} is none of {', '.join(known)}")

    import_libraries(any(name in FAMILIES for name in wanted))
    os.makedirs(arguments.out_dir, exist_ok=True)
    print(f"torch {torch.__version__}, transformers {transformers.__version__ if transformers is not None else '-'}")
    reports = []
    for name in wanted:
        print(f"{name}")
        report = Report(name)
        reports.append(report)
        try:
            with torch.no_grad():
                if name in FAMILIES:
                    make_family(name, arguments.out_dir, report)
                else:
                    make_quantised(name, arguments.out_dir, report)
        except Exception:
            report.error(traceback.format_exc())
    write_provenance(arguments.out_dir, arguments.date, reports)
    print(f"{arguments.out_dir}: {folder_bytes(arguments.out_dir)} bytes")
    for report in reports:
        state = "FAILED" if report.errors else "ok"
        print(f"{state:7}{report.name}: {len(report.errors)} errors, {len(report.warnings)} warnings")
    return 1 if any(report.errors for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
