"""The HTTP server of llama.cpp, opened by the package xllamacpp."""

from __future__ import annotations

import argparse
import threading

import xllamacpp


def serve(model: str, port: int, context: int, threads: int) -> None:
    """Answer until the process is ended; exact numbers rather than fast ones."""
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {"model"}
    params.hostnames, params.port = ["127.0.0.1"], port
    params.n_ctx, params.n_parallel = context, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    # Flash attention on a CPU rounds: log-probabilities are up to 0.05 nats off with it.
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.fit_params = False
    server = xllamacpp.Server(params)
    print("listening on", server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    for name in ("--port", "--context", "--threads"):
        parser.add_argument(name, type=int, required=True)
    serve(**vars(parser.parse_args()))
