"""Plans: what a job does with a loaded model (studio.jobs.context.Plan).

single.py     one request, as it is          caption_choices.py  one picture's caption, or several to choose from
grid.py       pictures of different kinds    caption_folder.py   captions for a folder of pictures
chat_turn.py  the answer to a conversation
"""
