"""Pictures of workflows, drawn from the model: they show what an author wrote, not what it is compiled to."""
