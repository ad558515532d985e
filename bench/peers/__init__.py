"""`python -m bench peers`: one network in the engines that a user would pick instead."""


def peers(arguments: list[str]) -> int:
    """See `bench.peers.command.peers`; measuring processes import nothing of it."""
    from bench.peers import command

    return command.peers(arguments)
