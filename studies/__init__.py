"""The runs behind the course's numbers. They import covidlab, and covidlab never imports them."""
