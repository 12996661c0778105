# The course in a container. Not built here; the same set-up as everywhere.
#   docker build -t covidlab . && docker run --rm -p 127.0.0.1:8888:8888 covidlab
FROM python:3.11-slim
RUN useradd --create-home learner && mkdir /course && chown learner /course
USER learner
WORKDIR /course
COPY --chown=learner . .
RUN python lab.py setup
EXPOSE 8888
CMD ["python", "lab.py", "lab", "--no-browser", "--ip=0.0.0.0"]
