"""What a notebook and a class need: checks, exercises and quizzes on top of genlab."""
