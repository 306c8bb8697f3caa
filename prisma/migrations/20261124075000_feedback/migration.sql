-- CreateEnum
CREATE TYPE "EventDelivery" AS ENUM ('BUFFERED', 'DURABLE');

-- AlterTable
ALTER TABLE "EndpointRevision" ADD COLUMN     "events" "EventDelivery" NOT NULL DEFAULT 'BUFFERED';

-- AlterTable
ALTER TABLE "TrafficRollup" ADD COLUMN     "predictions" INTEGER NOT NULL DEFAULT 0;

-- CreateTable
CREATE TABLE "Feedback" (
    "endpointId" UUID NOT NULL,
    "eventId" UUID NOT NULL,
    "index" SMALLINT NOT NULL,
    "label" TEXT NOT NULL,
    "time" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "Feedback_pkey" PRIMARY KEY ("eventId","index","endpointId")
);

-- CreateIndex
CREATE INDEX "Feedback_time_idx" ON "Feedback"("time");

-- Fill: what was answered before this column, from the events that are still kept.
UPDATE "TrafficRollup" rollup SET "predictions" = answered.instances
FROM (
    SELECT "modelVersionId", "endpointId", date_trunc('minute', "time", 'UTC') AS minute, sum(instances)::int AS instances
    FROM "PredictionEvent" WHERE status = 'OK' GROUP BY 1, 2, 3
) answered
WHERE rollup."modelVersionId" = answered."modelVersionId" AND rollup."endpointId" = answered."endpointId"
    AND rollup.minute = answered.minute;
