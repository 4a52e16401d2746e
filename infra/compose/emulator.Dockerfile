# The emulator that the tests use, in the version that tests/foreign/requirements.txt pins. Functions run as processes of this
# container: the base has the glibc that `provided.al2023` has, or a newer one.
FROM python:3.12-slim-bookworm
RUN pip install --no-cache-dir ministack==1.5.33 && useradd --uid 65532 --create-home emulator
USER 65532:65532
WORKDIR /home/emulator
EXPOSE 4566
ENTRYPOINT ["ministack"]
