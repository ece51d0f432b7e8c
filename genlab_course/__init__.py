"""The course around the library: exercises, quizzes, widgets, the release reader."""
