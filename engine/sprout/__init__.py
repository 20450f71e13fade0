"""How the embedded base model "sprout" is made: its corpus, tokenizer, pre-training and exam.

Nothing else imports this.
"""
