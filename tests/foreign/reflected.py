"""grpcio calls a server whose messages it knows from reflection alone: no generated code, no .proto file."""

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

TIMEOUT_S = 60


class Reflected:
    """Calls methods by name with plain dictionaries."""

    def __init__(self, channel):
        self.channel = channel
        self.database = ProtoReflectionDescriptorDatabase(channel)
        self.pool = DescriptorPool(self.database)

    def services(self):
        return sorted(self.database.get_services())

    def methods(self, service):
        return [method.name for method in self.pool.FindServiceByName(service).methods]

    def call(self, service, method, request):
        described = self.pool.FindServiceByName(service).FindMethodByName(method)
        question = ParseDict(request, GetMessageClass(described.input_type)())
        stub = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(described.output_type).FromString,
        )
        answer = stub(question, timeout=TIMEOUT_S)
        return MessageToDict(
            answer, preserving_proto_field_name=True, descriptor_pool=self.pool
        )

    def stream(self, service, method, request):
        """The messages of a streaming answer, one after the other."""
        described = self.pool.FindServiceByName(service).FindMethodByName(method)
        question = ParseDict(request, GetMessageClass(described.input_type)())
        stub = self.channel.unary_stream(
            f"/{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(described.output_type).FromString,
        )
        for answer in stub(question, timeout=TIMEOUT_S):
            yield MessageToDict(
                answer, preserving_proto_field_name=True, descriptor_pool=self.pool
            )
