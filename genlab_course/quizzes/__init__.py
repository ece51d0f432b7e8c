"""The quizzes of the course, one module a lesson."""
