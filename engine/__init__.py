"""A download engine: many range requests, one file, in order, in bounded memory.

    async with Engine(Config(threads=20)) as engine:
        async with engine.stream(["https://example.org/a.gz"]) as files:
            async for name, blocks in files:
                async for block in blocks: ...
        job = engine.add(JobSpec(url="https://example.org/b.gz"))
        await engine.wait(job)

It prints nothing, installs no signal handler and keeps no global state.
"""
