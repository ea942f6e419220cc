"""The main job: search, deployment, verification, report; and the folder of a run."""
