"""The engine as it ships, against networks that are only computed, in virtual time.

`python -m tests.benchmarks.simulate` judges how lanes are used where no machine at
hand is large, far or broken enough. The one rule: nothing in the engine knows of it.
Its clock, its transport and its deliveries are replaced from outside; all decisions
are made by the code that ships.
"""
