"""RabbitMQ: sources, a publisher, the topology they need, and what watches over them.

`connecting.connect` is the way in. aio-pika keeps the connections; on them joinbridge opens and ends its own channels, because what has
to happen when a channel is lost (drop the buffer, wait, consume again) is different from what a library can know.
"""
