"""The Python interface: a study from keywords, its run, and its table as a frame.

    import packhorse
    import sim

    if __name__ == "__main__":
        study = packhorse.Study(name="sweep", function=sim.estimate, parameters={"n": [10, 50]}, replicates=100)
        study.run()
        table = study.results()

Tasks run in processes of their own, from a snapshot, so a function must be in a module that can be
imported there. A script's own function works too if the script has `if __name__ == "__main__":` around what
starts the run; every edit of such a script is a change of the function's code.
"""
