#!/usr/bin/env python3
"""Decode steps of the catalogue in PyTorch, for comparison side by side: what a good user of the library would write.

Matrix products through cuBLAS, attention through scaled_dot_product_attention (every backend that takes the shape is tried, the fastest stays),
INT8 and INT4 weights through the library's own weight-only products, and the whole step replayed as one CUDA graph.

  pytorch_steps.py --probe                   what there is: JSON
  pytorch_steps.py --step '{...}'            times one step at two numbers of layers: JSON
  pytorch_steps.py --step '{...}' --dry-run  shapes, parameters and state bytes only; needs no PyTorch
  pytorch_steps.py --check                   the formulations against plain ones, on the processor

Where it differs from the catalogue (bytes are never more): INT8 has one scale a row instead of one a group; the absorbed per-head matrices of MLA stay in
16 bits; integer formats compute in BF16, as their products demand.
"""

import argparse
import json
import math
import sys
import time

HEAD = 128
QUERY_RANK, LATENT, ROPE = 1536, 512, 64
SHARED_HEAD, OUTPUT_GROUPS, OUTPUT_RANK = 512, 8, 1024
COMPRESS_LENGTH, COMPRESS_STRIDE, SELECTED_BLOCKS, SELECTED_BLOCK, SPARSE_WINDOW = 32, 16, 16, 64, 512
WINDOW, LIGHT, HEAVY, TOP_K, INDEX_HEADS, INDEX_HEAD = 128, 4, 128, 512, 64, 128
GROUP = 128


def round_up(value, multiple):
    return (value + multiple - 1) // multiple * multiple


def compressed_entries(context):
    return (context - COMPRESS_LENGTH) // COMPRESS_STRIDE + 1


def matrices(step, kind):
    """The layer's weights: name -> (blocks, outputs, inputs). What is read together is stored together."""
    d, h, n, ff = step["model_width"], step["heads"], step["key_value_heads"], step["feed_forward_width"]
    mlp = {"gate_up": (1, 2 * ff, d), "down": (1, d, ff)}
    if kind in ("multi_head", "grouped", "native_sparse"):
        kv = h if kind == "multi_head" else n
        return {"qkv": (1, (h + 2 * kv) * HEAD, d), "o": (1, d, h * HEAD), **mlp}
    if kind == "latent":
        return {
            "q_a_kv_a": (1, QUERY_RANK + LATENT + ROPE, d), "q_b": (1, h * (HEAD + ROPE), QUERY_RANK),
            "absorb_key": (h, LATENT, HEAD), "absorb_value": (h, HEAD, LATENT), "o": (1, d, h * HEAD), **mlp,
        }
    if kind == "lightning":
        return {"qkvg": (1, 4 * h * HEAD, d), "o": (1, d, h * HEAD), **mlp}
    if kind in ("compressed_sparse", "heavily_compressed"):
        light = kind == "compressed_sparse"
        extra = {"entry": (1, 2 * 1024 + 2 * 256 + INDEX_HEADS, d), "index_q": (1, INDEX_HEADS * INDEX_HEAD, QUERY_RANK)} if light else {"entry": (1, 2 * SHARED_HEAD, d)}
        return {
            "q_a_kv": (1, QUERY_RANK + SHARED_HEAD, d), "q_b": (1, h * SHARED_HEAD, QUERY_RANK), **extra,
            "o_a": (OUTPUT_GROUPS, OUTPUT_RANK, h * SHARED_HEAD // OUTPUT_GROUPS), "o_b": (1, d, OUTPUT_GROUPS * OUTPUT_RANK), **mlp,
        }
    raise ValueError(f"no layer kind '{kind}'")


def state(step, kind):
    """The layer's cache or state: name -> (shape, bytes of an element)."""
    b, s, h, n = step["batch"], step["context"], step["heads"], step["key_value_heads"]
    if kind in ("multi_head", "grouped", "native_sparse"):
        kv = h if kind == "multi_head" else n
        cache = {"key": ((b, kv, s, HEAD), 2), "value": ((b, kv, s, HEAD), 2)}
        if kind == "native_sparse":
            entries = compressed_entries(s)
            cache |= {"compressed_key": ((b, kv, entries, HEAD), 2), "compressed_value": ((b, kv, entries, HEAD), 2), "blocks": ((b, kv, SELECTED_BLOCKS), 8)}
        return cache
    if kind == "latent":
        return {"latent": ((b, s, LATENT + ROPE), 2)}
    if kind == "lightning":
        return {"state": ((b * h, HEAD, HEAD), 4)}
    entries = s // (LIGHT if kind == "compressed_sparse" else HEAVY) + WINDOW
    cache = {"plain": ((b, entries, SHARED_HEAD - ROPE), 1), "rotary": ((b, entries, ROPE), 2), "scale": ((b, entries, 7), 1)}
    if kind == "compressed_sparse":
        cache |= {"index_key": ((b, s // LIGHT, INDEX_HEAD), 1), "index_scale": ((b, s // LIGHT), 4)}
    return cache


def moved_bytes(step, kind):
    """Bytes of cache and state that a step moves, whole batch, by the shapes that this file reads."""
    b, h, n = step["batch"], step["heads"], step["key_value_heads"]
    if kind == "native_sparse":
        return b * n * HEAD * 2 * 2 * (compressed_entries(step["context"]) + SELECTED_BLOCKS * SELECTED_BLOCK + SPARSE_WINDOW)
    if kind == "lightning":
        return 2 * b * h * HEAD * HEAD * 4
    entry = SHARED_HEAD - ROPE + 2 * ROPE + 7 + 1
    if kind == "compressed_sparse":
        return b * (step["context"] // LIGHT * (INDEX_HEAD + 4) + (TOP_K + WINDOW) * entry)
    if kind == "heavily_compressed":
        return b * (step["context"] // HEAVY + WINDOW) * entry
    return sum(math.prod(shape) * size for shape, size in state(step, kind).values())


def parameters(step, kind):
    return sum(blocks * outputs * inputs for blocks, outputs, inputs in matrices(step, kind).values())


def dry_run(step):
    kinds = step["unit"]
    return {
        "label": step["label"],
        "parameters_per_layer": sum(parameters(step, k) for k in kinds) / len(kinds),
        "state_bytes_per_layer": sum(moved_bytes(step, k) for k in kinds) / len(kinds),
        "layers": [{"kind": k, "matrices": {m: list(s) for m, s in matrices(step, k).items()}, "state": {m: list(s[0]) for m, s in state(step, k).items()}} for k in dict.fromkeys(kinds)],
    }


class Unsupported(Exception):
    """This PyTorch has no product of that kind."""


class Layer:
    """One layer: weights, cache, and forward()."""

    def __init__(self, torch, step, kind, device, dtype, attend):
        self.torch, self.step, self.kind, self.device, self.dtype, self.attend = torch, step, kind, device, dtype, attend
        # INT4 wants inputs in whole groups: rows of zero weights where the feed-forward width is none.
        self.ff = round_up(step["feed_forward_width"], GROUP) if step["weights"] == "INT4" else step["feed_forward_width"]
        sized = dict(step, feed_forward_width=self.ff)
        self.products = {name: self.product(*shape) for name, shape in matrices(sized, kind).items()}
        self.cache = {name: self.fill(name, *what) for name, what in state(step, kind).items()}
        d = step["model_width"]
        self.gains = [torch.ones(d, device=device, dtype=dtype) for _ in range(2)]
        self.cos = torch.rand(64, device=device, dtype=dtype)
        self.sin = torch.rand(64, device=device, dtype=dtype)

    def fill(self, name, shape, size):
        torch = self.torch
        if name == "blocks":
            b, kv, _ = shape
            count = self.step["context"] // SELECTED_BLOCK
            drawn = torch.rand(b, kv, count - 3, device=self.device).argsort(-1)[..., : SELECTED_BLOCKS - 3] + 1
            forced = torch.tensor([0, count - 2, count - 1], device=self.device).expand(b, kv, 3)
            return torch.cat([forced, drawn], -1).contiguous()
        if name == "state" or name == "index_scale":
            return torch.randn(shape, device=self.device, dtype=torch.float32)
        if name == "scale":
            return torch.randint(120, 128, shape, device=self.device, dtype=torch.uint8)
        if size == 1:
            # In pieces: FP8 has no generator of its own, and a whole copy in 16 bits may not fit beside it.
            made = torch.empty(shape, device=self.device, dtype=torch.float8_e4m3fn)
            for i in range(shape[0]):
                made[i] = torch.randn(shape[1:], device=self.device, dtype=self.dtype).to(torch.float8_e4m3fn)
            return made
        return torch.randn(shape, device=self.device, dtype=self.dtype)

    def product(self, blocks, outputs, inputs):
        torch, weights = self.torch, self.step["weights"]
        if blocks > 1 or weights == "FP16":
            shape = (blocks, inputs, outputs) if blocks > 1 else (outputs, inputs)
            w = torch.randn(shape, device=self.device, dtype=self.dtype).mul_(inputs**-0.5)
            # Blocks: x is [blocks, batch, inputs].
            return (lambda x: torch.bmm(x, w)) if blocks > 1 else (lambda x: torch.nn.functional.linear(x, w))
        if weights == "INT8":
            w = torch.randint(-127, 128, (outputs, inputs), device=self.device, dtype=torch.int8)
            scales = torch.full((outputs,), inputs**-0.5 / 73, device=self.device, dtype=self.dtype)
            return lambda x: torch.ops.aten._weight_int8pack_mm(x, w, scales)
        tiles = 8
        rows = torch.randint(0, 256, (outputs, inputs // 2), device=self.device, dtype=torch.uint8)
        try:
            packed = torch.ops.aten._convert_weight_to_int4pack(rows, tiles)
        except RuntimeError:
            # Before 2.5 it took one integer a weight.
            packed = torch.ops.aten._convert_weight_to_int4pack(torch.randint(0, 16, (outputs, inputs), device=self.device, dtype=torch.int32), tiles)
        scales = torch.full((inputs // GROUP, outputs, 2), inputs**-0.5 / 4.6, device=self.device, dtype=self.dtype)
        scales[..., 1] = 0
        return lambda x: torch.ops.aten._weight_int4pack_mm(x, packed, GROUP, scales)

    def norm(self, x, gain=None):
        return self.torch.nn.functional.rms_norm(x, (x.shape[-1],), gain, 1e-6)

    def rotate(self, x):
        """RoPE on the last axis, halves as partners."""
        half = x.shape[-1] // 2
        cos, sin = self.cos[:half], self.sin[:half]
        a, b = x[..., :half], x[..., half:]
        return self.torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def forward(self, x):
        x = x + getattr(self, self.kind)(self.norm(x, self.gains[0]))
        gate, up = self.products["gate_up"](self.norm(x, self.gains[1])).split(self.ff, -1)
        return x + self.products["down"](self.torch.nn.functional.silu(gate) * up)

    def multi_head(self, x):
        return self.dense(x, self.step["heads"])

    def grouped(self, x):
        return self.dense(x, self.step["key_value_heads"])

    def new_tokens(self, x, kv):
        b, h = x.shape[0], self.step["heads"]
        q, k, v = self.products["qkv"](x).split([h * HEAD, kv * HEAD, kv * HEAD], -1)
        self.cache["key"][:, :, -1] = self.rotate(k.view(b, kv, HEAD))
        self.cache["value"][:, :, -1] = v.view(b, kv, HEAD)
        # The query heads of a KV head are its queries: the cache is read once and nothing is repeated.
        return self.rotate(q.view(b, kv, h // kv, HEAD))

    def dense(self, x, kv):
        q = self.new_tokens(x, kv)
        return self.products["o"](self.attend(q, self.cache["key"], self.cache["value"]).reshape(x.shape[0], -1))

    def native_sparse(self, x):
        b, kv = x.shape[0], self.step["key_value_heads"]
        q = self.new_tokens(x, kv)
        key, value = self.cache["key"], self.cache["value"]
        self.cache["compressed_key"][:, :, -1] = key[:, :, -COMPRESS_LENGTH:].mean(2)
        self.cache["compressed_value"][:, :, -1] = value[:, :, -COMPRESS_LENGTH:].mean(2)
        index = self.cache["blocks"][..., None, None].expand(b, kv, SELECTED_BLOCKS, SELECTED_BLOCK, HEAD)
        blocks = (b, kv, -1, SELECTED_BLOCK, HEAD)
        selected = [c.view(blocks).gather(2, index).view(b, kv, -1, HEAD) for c in (key, value)]
        out = self.attend(q, self.cache["compressed_key"], self.cache["compressed_value"])
        out = out + self.attend(q, *selected)
        out = out + self.attend(q, key[:, :, -SPARSE_WINDOW:], value[:, :, -SPARSE_WINDOW:])
        return self.products["o"](out.reshape(b, -1))

    def latent(self, x):
        b, h, cache = x.shape[0], self.step["heads"], self.cache["latent"]
        low, new = self.products["q_a_kv_a"](x).split([QUERY_RANK, LATENT + ROPE], -1)
        cache[:, -1] = self.torch.cat([self.norm(new[:, :LATENT]), self.rotate(new[:, LATENT:])], -1)
        q = self.products["q_b"](self.norm(low)).view(b, h, HEAD + ROPE)
        absorbed = self.products["absorb_key"](q[..., :HEAD].transpose(0, 1)).transpose(0, 1)
        q = self.torch.cat([absorbed, self.rotate(q[..., HEAD:])], -1)
        # One KV head of width 576 whose values are its first 512: all heads are its queries.
        out = self.attend(q[:, None], cache[:, None], cache[:, None, :, :LATENT], (HEAD + ROPE) ** -0.5)[:, 0]
        return self.products["o"](self.products["absorb_value"](out.transpose(0, 1)).transpose(0, 1).reshape(b, -1))

    def lightning(self, x):
        b, h = x.shape[0], self.step["heads"]
        silu = self.torch.nn.functional.silu
        qkv, gate = self.products["qkvg"](x).split([3 * h * HEAD, h * HEAD], -1)
        q, k, v = (t.reshape(b * h, 1, HEAD).float() for t in silu(qkv).chunk(3, -1))
        s = self.cache["state"].baddbmm_(k.transpose(1, 2), v, beta=0.98)
        out = self.torch.bmm(q, s).to(self.dtype).view(b, h * HEAD)
        return self.products["o"](self.norm(out) * self.torch.sigmoid(gate))

    def entries(self, which):
        """Stored entries in 16 bits: scaled FP8 beside the rotary part. which: a slice, or indices [batch, entries]."""
        torch = self.torch
        if isinstance(which, slice):
            plain, rotary, scale = (self.cache[n][:, which] for n in ("plain", "rotary", "scale"))
        else:
            rows = torch.arange(which.shape[0], device=which.device)[:, None]
            plain, rotary, scale = (self.cache[n][rows, which] for n in ("plain", "rotary", "scale"))
        scaled = plain.to(self.dtype).reshape(*plain.shape[:2], 7, 64) * torch.exp2(scale.to(self.dtype) - 127)[..., None]
        return torch.cat([scaled.reshape(*plain.shape[:2], -1), rotary], -1)

    def queries(self, x):
        b, h = x.shape[0], self.step["heads"]
        low, _ = self.products["q_a_kv"](x).split([QUERY_RANK, SHARED_HEAD], -1)
        low = self.norm(low)
        return low, self.products["q_b"](low).view(b, 1, h, SHARED_HEAD)

    def grouped_output(self, out):
        b = out.shape[0]
        low = self.products["o_a"](out.reshape(b, OUTPUT_GROUPS, -1).transpose(0, 1))
        return self.products["o_b"](low.transpose(0, 1).reshape(b, -1))

    def compressed_sparse(self, x):
        torch, b = self.torch, x.shape[0]
        low, q = self.queries(x)
        new = self.products["entry"](x)
        index_q = self.products["index_q"](low).view(b, INDEX_HEADS, INDEX_HEAD)
        scores = torch.bmm(index_q, self.cache["index_key"].to(self.dtype).transpose(1, 2)).relu_()
        scores = torch.bmm(new[:, None, -INDEX_HEADS:], scores)[:, 0] * self.cache["index_scale"]
        chosen = scores.topk(TOP_K, -1, sorted=False).indices
        held = torch.cat([self.entries(chosen), self.entries(slice(-WINDOW, None))], 1)[:, None]
        return self.grouped_output(self.attend(q, held, held))

    def heavily_compressed(self, x):
        _, q = self.queries(x)
        self.products["entry"](x)
        held = self.entries(slice(None))[:, None]
        return self.grouped_output(self.attend(q, held, held))


def plain_attention(torch):
    """softmax(q·kᵀ)·v as two products."""

    def attend(q, k, v, scale=None):
        scores = torch.matmul(q, k.transpose(-1, -2)) * (scale or q.shape[-1] ** -0.5)
        return torch.matmul(torch.softmax(scores, -1), v)

    return attend


def backend_attention(torch, backend):
    from torch.nn.attention import sdpa_kernel

    def attend(q, k, v, scale=None):
        with sdpa_kernel(backend):
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=scale)

    return attend


def candidates(torch):
    from torch.nn.attention import SDPBackend

    yield "matmul", plain_attention(torch)
    for name in ("FLASH_ATTENTION", "CUDNN_ATTENTION", "EFFICIENT_ATTENTION"):
        if hasattr(SDPBackend, name):
            yield name.lower(), backend_attention(torch, getattr(SDPBackend, name))


class Step:
    """Some layers of a configuration as one CUDA graph."""

    def __init__(self, torch, step, layers, attend):
        self.torch = torch
        dtype = torch.float16 if step["weights"] == "FP16" else torch.bfloat16
        unit = step["unit"]
        self.layers = [Layer(torch, step, unit[i % len(unit)], "cuda", dtype, attend) for i in range(layers)]
        self.input = torch.randn(step["batch"], step["model_width"], device="cuda", dtype=dtype)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                self.run()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.output = self.run()

    def run(self):
        x = self.input
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def stretch(self, seconds):
        """Seconds of a step over a stretch of about so long, by the device's events."""
        torch = self.torch

        def timed(count):
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            for _ in range(count):
                self.graph.replay()
            end.record()
            end.synchronize()
            return begin.elapsed_time(end) / 1e3 / count

        timed(2)
        return timed(max(3, round(seconds / timed(3))))


def measure(torch, step, layers, attend, seconds, repeats):
    made = None
    try:
        made = Step(torch, step, layers, attend)
        return [made.stretch(seconds) for _ in range(repeats)]
    finally:
        del made
        import gc

        gc.collect()
        torch.cuda.empty_cache()


def run(step, seconds, repeats):
    import torch

    if not torch.cuda.is_available():
        raise Unsupported("torch sees no GPU")
    torch.manual_seed(step["seed"])
    torch.set_grad_enabled(False)
    out_of_memory = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)
    unit, notes, tried = len(step["unit"]), [], {}
    for name, attend in candidates(torch):
        try:
            tried[name] = (min(measure(torch, step, unit, attend, 0.05, 2)), attend)
        except out_of_memory:
            notes.append(f"{name}: out of memory")
        except (RuntimeError, NotImplementedError) as error:
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            if "pack_mm" in text or "int4pack" in text or "int8pack" in text:
                raise Unsupported(f"{step['weights']} product: {text}") from error
            notes.append(f"{name}: {text[:120]}")
    if not tried:
        raise Unsupported("; ".join(notes))
    best = min(tried, key=lambda name: tried[name][0])
    attend, longer, shorter = tried[best][1], step["long_layers"], step["short_layers"]
    while True:
        try:
            long_seconds = measure(torch, step, longer, attend, seconds, repeats)
            break
        except out_of_memory:
            if longer <= shorter:
                raise
            longer = max(shorter, longer * 3 // 4 // unit * unit)
            notes.append(f"long L' reduced to {longer}: out of memory")
    short_seconds = measure(torch, step, shorter, attend, seconds, repeats) if shorter < longer else []
    return {
        "label": step["label"], "torch": torch.__version__, "device": torch.cuda.get_device_name(), "attention": best,
        "candidates": {name: value[0] for name, value in tried.items()}, "longLayers": longer, "shortLayers": shorter,
        "longSeconds": long_seconds, "shortSeconds": short_seconds, "notes": notes,
    }


def probe():
    try:
        import torch
    except Exception as error:  # a broken installation fails in many ways, and each is an answer
        return {"torch": None, "reason": f"{type(error).__name__}: {error}"}
    if not torch.cuda.is_available():
        return {"torch": torch.__version__, "reason": "torch sees no GPU"}
    return {"torch": torch.__version__, "cuda": torch.version.cuda, "device": torch.cuda.get_device_name(), "reason": None}


def check():
    """The formulations above against plain ones, in FP32 on the processor."""
    import torch

    torch.manual_seed(1)
    torch.set_grad_enabled(False)
    step = {"label": "check", "weights": "FP16", "batch": 3, "context": 2048, "model_width": 256, "heads": 8, "key_value_heads": 2, "feed_forward_width": 384, "unit": []}
    attend, worst = plain_attention(torch), {}

    def error(a, b):
        return float((a - b).norm() / b.norm())

    q, k, v = torch.randn(3, 2, 4, HEAD), torch.randn(3, 2, 50, HEAD), torch.randn(3, 2, 50, HEAD)
    repeated = torch.nn.functional.scaled_dot_product_attention(q.reshape(3, 8, 1, HEAD), k.repeat_interleave(4, 1), v.repeat_interleave(4, 1))
    worst["grouped"] = error(attend(q, k, v).reshape(3, 8, HEAD), repeated[:, :, 0])

    layer = Layer(torch, step, "latent", "cpu", torch.float32, attend)
    x = torch.randn(3, 256)
    out = layer.latent(x)
    low = layer.products["q_a_kv_a"](x)[:, :QUERY_RANK]
    q = layer.products["q_b"](layer.norm(low)).view(3, 8, HEAD + ROPE)
    eye = torch.eye(HEAD).expand(8, HEAD, HEAD)
    up_key = layer.products["absorb_key"](eye)  # [heads, 128, 512]
    up_value = layer.products["absorb_value"](torch.eye(LATENT).expand(8, LATENT, LATENT))  # [heads, 512, 128]
    latent, rotary = layer.cache["latent"].split([LATENT, ROPE], -1)
    keys = torch.cat([torch.einsum("bsl,hdl->bhsd", latent, up_key), rotary[:, None].expand(3, 8, -1, ROPE)], -1)
    values = torch.einsum("bsl,hld->bhsd", latent, up_value)
    q = torch.cat([q[..., :HEAD], layer.rotate(q[..., HEAD:])], -1)[:, :, None]
    expanded = attend(q, keys, values, (HEAD + ROPE) ** -0.5)
    worst["latent"] = error(out, layer.products["o"](expanded.reshape(3, -1)))

    for kind in ("multi_head", "native_sparse", "lightning", "compressed_sparse", "heavily_compressed"):
        made = Layer(torch, step, kind, "cpu", torch.float32, attend).forward(x)
        worst[f"{kind} is finite"] = 0.0 if bool(torch.isfinite(made).all()) and made.shape == x.shape else 1.0
    return {"torch": torch.__version__, "errors": worst, "right": all(e < 1e-4 for e in worst.values())}


def main():
    parser = argparse.ArgumentParser(description="Decode steps of the catalogue in PyTorch.")
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--step", type=json.loads)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    began = time.monotonic()
    if given.probe:
        answer = probe()
    elif given.check:
        answer = check()
    elif given.step is None:
        parser.error("one of --probe, --check, --step")
    elif given.dry_run:
        answer = dry_run(given.step)
    else:
        try:
            answer = run(given.step, given.seconds, given.repeats)
        except Unsupported as error:
            answer = {"label": given.step["label"], "unsupported": str(error)}
        except Exception as error:  # the caller wants a reason, not a trace
            answer = {"label": given.step["label"], "unsupported": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
    print(json.dumps(answer | {"seconds": round(time.monotonic() - began, 1)}))
    return 0 if answer.get("right", True) else 1


if __name__ == "__main__":
    sys.exit(main())
