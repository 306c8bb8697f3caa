"""A contender of bench/train.ts: PyTorch on the CPU. Arguments: folder with the network's data, network, threads."""
import json
import math
import resource
import sys
import time
from array import array

import torch
import torch.nn.functional as F

folder, name, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(threads)
meta = json.load(open(f"{folder}/meta.json"))


def load(file, code, dtype):
    values = array(code)
    with open(f"{folder}/{file}", "rb") as f:
        values.frombytes(f.read())
    return torch.frombuffer(values, dtype=dtype).clone()


flat = load("params.bin", "f", torch.float32)
p, at = {}, 0
for parameter in meta["parameters"]:
    size = math.prod(parameter["shape"])
    p[parameter["name"]] = flat[at : at + size].reshape(parameter["shape"]).clone().requires_grad_(True)
    at += size
B = meta["batchSize"]
y = load("y.bin", "i", torch.int32).reshape(-1, B)
if meta["vocabulary"]:
    x = load("x.bin", "i", torch.int32).long()
else:
    x = load("x.bin", "f", torch.float32)
x = x.reshape([y.shape[0], B] + meta["row"])


def linear(h, scope):
    return torch.matmul(h, p[f"{scope}.weight"]) + p[f"{scope}.bias"] if h.dim() > 2 else torch.addmm(
        p[f"{scope}.bias"], h, p[f"{scope}.weight"])


def norm(h, scope):
    return F.layer_norm(h, h.shape[-1:], p[f"{scope}.weight"], p[f"{scope}.bias"], 1e-5)


def attention(h, scope, bias):
    n, t, d = h.shape
    q, k, v = linear(h, f"{scope}.qkv").reshape(n, t, 3, 4, d // 4).permute(2, 0, 3, 1, 4)
    scores = torch.matmul(q * (1 / math.sqrt(d // 4)), k.transpose(-1, -2))
    if bias is not None:
        scores = scores + bias
    seen = torch.matmul(F.softmax(scores, -1), v)
    return linear(seen.transpose(1, 2).reshape(n, t, d), f"{scope}.out")


def mlp(h):
    last = max(int(key[5]) for key in p if key.startswith("layer"))
    for i in range(last + 1):
        h = linear(h, f"layer{i}")
        h = F.relu(h) if i < last else h
    return h


def cnn(h):
    for i in range(3):
        h = F.max_pool2d(F.relu(F.conv2d(h, p[f"stage{i}.weight"], p[f"stage{i}.bias"], padding=1)), 2)
    return linear(h.flatten(1), "classifier")


running = {i: (torch.zeros(c), torch.ones(c)) for i, c in enumerate([32, 64, 128])}


def cnnbn(h):
    for i in range(3):
        h = F.conv2d(h, p[f"conv{i}.weight"], stride=1 if i == 0 else 2, padding=1)
        h = F.relu(F.batch_norm(h, *running[i], p[f"norm{i}.weight"], p[f"norm{i}.bias"], True, 0.1, 1e-5))
    return linear(h.mean((2, 3)), "classifier")


def bert(ids):
    mask = (ids != 0).float()
    bias = (mask[:, None, None, :] - 1) * 1e4
    h = norm(F.embedding(ids, p["tokens.weight"]) + p["positions.weight"], "norm")
    for i in range(2):
        s = f"layer{i}"
        h = norm(h + attention(h, f"{s}.attention.self", bias), f"{s}.attention.norm")
        f = linear(F.gelu(linear(h, f"{s}.feedForward.in")), f"{s}.feedForward.out")
        h = norm(h + f, f"{s}.feedForward.norm")
    pooled = (h * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
    return linear(pooled, "classifier")


causal = torch.triu(torch.full((64, 64), -1e4), 1)


def gpt(ids):
    h = F.embedding(ids.reshape(-1, 64), p["tokens.weight"]) + p["positions.weight"]
    for i in range(2):
        s = f"layer{i}"
        h = h + attention(norm(h, f"{s}.norm1"), f"{s}.self", causal)
        h = h + linear(F.gelu(linear(norm(h, f"{s}.norm2"), f"{s}.in")), f"{s}.out")
    return linear(norm(h, "norm").reshape(-1, h.shape[-1]), "head")


model = {"mlp": mlp, "mlpbig": mlp, "cnn": cnn, "cnnbn": cnnbn, "bert": bert, "gpt": gpt}[name]
decayed = {parameter["name"] for parameter in meta["parameters"] if parameter["decays"]}
# foreach is the faster form of the optimiser in this version (measured), so the peer gets it.
optimizer = torch.optim.AdamW(
    [
        {"params": [v for k, v in p.items() if k in decayed], "weight_decay": 0.01},
        {"params": [v for k, v in p.items() if k not in decayed], "weight_decay": 0.0},
    ],
    lr=1e-3, betas=(0.9, 0.999), eps=1e-8, foreach=True,
)
labels = y.float() if name == "mlp" else y.long()
done = 0


def step():
    global done
    at = done % y.shape[0]
    logits = model(x[at])
    if name == "mlp":
        loss = F.binary_cross_entropy_with_logits(logits.squeeze(1), labels[at])
    else:
        loss = F.cross_entropy(logits, labels[at])
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    done += 1
    return loss.detach()


def say(answer):
    print(json.dumps(answer), flush=True)


torch.set_flush_denormal(True)
say({"ready": True, "version": torch.__version__})
for line in sys.stdin:
    steps = json.loads(line)["steps"]
    began, cpu = time.perf_counter(), time.process_time()
    losses = [step() for _ in range(steps)]
    ms = (time.perf_counter() - began) * 1000
    cpu_ms = (time.process_time() - cpu) * 1000
    say({"ms": ms, "cpuMs": cpu_ms, "losses": torch.stack(losses).tolist()})
say({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024})
