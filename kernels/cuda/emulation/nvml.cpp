// The scripted NVML.
