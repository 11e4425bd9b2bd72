"""The library on the page: everything that was made, in every tab, over the whole window."""
