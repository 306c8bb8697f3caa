-- CreateEnum
CREATE TYPE "RunKind" AS ENUM ('TRAIN', 'IMPORT');

-- CreateEnum
CREATE TYPE "VariantRole" AS ENUM ('PRIMARY', 'SHADOW');

-- CreateEnum
CREATE TYPE "RampStatus" AS ENUM ('RUNNING', 'FINISHED', 'CANCELED');

-- CreateEnum
CREATE TYPE "GuardrailStatus" AS ENUM ('ACTIVE', 'ENDED');

-- CreateEnum
CREATE TYPE "GuardrailVerdict" AS ENUM ('PROMOTE', 'ROLL_BACK', 'CONTINUE');

-- CreateEnum
CREATE TYPE "SelectedBy" AS ENUM ('WEIGHT', 'ROUTE_KEY', 'VERSION');

-- AlterTable
ALTER TABLE "ApiKey" ADD COLUMN     "endpoints" TEXT[],
ADD COLUMN     "requestsPerDay" INTEGER,
ADD COLUMN     "requestsPerMinute" INTEGER;

-- AlterTable
ALTER TABLE "EndpointRevision" ADD COLUMN     "repeats" INTEGER,
ADD COLUMN     "settings" JSONB NOT NULL DEFAULT '{}';

-- AlterTable
ALTER TABLE "ModelVersion" ADD COLUMN     "imported" JSONB,
ALTER COLUMN "parity" DROP NOT NULL;

-- AlterTable
ALTER TABLE "PredictionEvent" ADD COLUMN     "role" "VariantRole" NOT NULL DEFAULT 'PRIMARY',
ADD COLUMN     "selectedBy" "SelectedBy" NOT NULL DEFAULT 'WEIGHT',
ADD COLUMN     "shadowOf" UUID,
ADD COLUMN     "slices" JSONB;

-- AlterTable
ALTER TABLE "Run" ADD COLUMN     "datasetVersionId" UUID,
ADD COLUMN     "kind" "RunKind" NOT NULL DEFAULT 'TRAIN',
ADD COLUMN     "modelId" UUID,
ADD COLUMN     "projectId" UUID,
ALTER COLUMN "experimentId" DROP NOT NULL;
UPDATE "Run" SET "projectId" = e."projectId" FROM "Experiment" e WHERE e.id = "Run"."experimentId";
ALTER TABLE "Run" ALTER COLUMN "projectId" SET NOT NULL;

-- AlterTable
ALTER TABLE "TrafficRollup" DROP CONSTRAINT "TrafficRollup_pkey",
ADD COLUMN     "role" "VariantRole" NOT NULL DEFAULT 'PRIMARY',
ADD CONSTRAINT "TrafficRollup_pkey" PRIMARY KEY ("modelVersionId", "endpointId", "role", "minute");

-- AlterTable
ALTER TABLE "Variant" ADD COLUMN     "role" "VariantRole" NOT NULL DEFAULT 'PRIMARY';

-- CreateTable
CREATE TABLE "Ramp" (
    "id" UUID NOT NULL,
    "endpointId" UUID NOT NULL,
    "modelVersionId" UUID NOT NULL,
    "steps" JSONB NOT NULL,
    "step" INTEGER NOT NULL DEFAULT 0,
    "status" "RampStatus" NOT NULL DEFAULT 'RUNNING',
    "revision" INTEGER NOT NULL,
    "nextAt" TIMESTAMPTZ(3),
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finishedAt" TIMESTAMPTZ(3),

    CONSTRAINT "Ramp_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Guardrail" (
    "id" UUID NOT NULL,
    "endpointId" UUID NOT NULL,
    "modelVersionId" UUID NOT NULL,
    "baselineId" UUID NOT NULL,
    "settings" JSONB NOT NULL,
    "status" "GuardrailStatus" NOT NULL DEFAULT 'ACTIVE',
    "since" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "state" JSONB NOT NULL DEFAULT '{}',
    "checkedAt" TIMESTAMPTZ(3),
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "endedAt" TIMESTAMPTZ(3),

    CONSTRAINT "Guardrail_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "GuardrailDecision" (
    "id" UUID NOT NULL,
    "guardrailId" UUID NOT NULL,
    "verdict" "GuardrailVerdict" NOT NULL,
    "evidence" JSONB NOT NULL,
    "revision" INTEGER NOT NULL,
    "ledTo" INTEGER,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "GuardrailDecision_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ColumnRollup" (
    "modelVersionId" UUID NOT NULL,
    "endpointId" UUID NOT NULL,
    "column" TEXT NOT NULL,
    "bucket" TIMESTAMPTZ(3) NOT NULL,
    "n" INTEGER NOT NULL,
    "missing" INTEGER NOT NULL,
    "unseen" INTEGER NOT NULL,
    "counts" INTEGER[],

    CONSTRAINT "ColumnRollup_pkey" PRIMARY KEY ("modelVersionId","endpointId","column","bucket")
);

-- CreateTable
CREATE TABLE "SketchEvent" (
    "id" UUID NOT NULL,
    "time" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "SketchEvent_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "SampledInput" (
    "id" UUID NOT NULL,
    "endpointId" UUID NOT NULL,
    "modelVersionId" UUID NOT NULL,
    "eventId" UUID NOT NULL,
    "index" INTEGER NOT NULL,
    "instance" JSONB NOT NULL,
    "time" TIMESTAMPTZ(3) NOT NULL,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "SampledInput_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "Ramp_endpointId_id_idx" ON "Ramp"("endpointId", "id");

-- CreateIndex
CREATE INDEX "Ramp_status_nextAt_idx" ON "Ramp"("status", "nextAt");

-- CreateIndex
CREATE INDEX "Guardrail_endpointId_id_idx" ON "Guardrail"("endpointId", "id");

-- CreateIndex
CREATE INDEX "Guardrail_status_idx" ON "Guardrail"("status");

-- CreateIndex
CREATE INDEX "GuardrailDecision_guardrailId_id_idx" ON "GuardrailDecision"("guardrailId", "id");

-- CreateIndex
CREATE INDEX "SketchEvent_time_idx" ON "SketchEvent"("time");

-- CreateIndex
CREATE INDEX "SampledInput_endpointId_id_idx" ON "SampledInput"("endpointId", "id");

-- CreateIndex
CREATE INDEX "SampledInput_expiresAt_idx" ON "SampledInput"("expiresAt");

-- CreateIndex
CREATE INDEX "PredictionEvent_shadowOf_idx" ON "PredictionEvent"("shadowOf");

-- CreateIndex
CREATE INDEX "Run_projectId_id_idx" ON "Run"("projectId", "id");

-- AddForeignKey
ALTER TABLE "Run" ADD CONSTRAINT "Run_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Run" ADD CONSTRAINT "Run_modelId_fkey" FOREIGN KEY ("modelId") REFERENCES "Model"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Run" ADD CONSTRAINT "Run_datasetVersionId_fkey" FOREIGN KEY ("datasetVersionId") REFERENCES "DatasetVersion"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Ramp" ADD CONSTRAINT "Ramp_endpointId_fkey" FOREIGN KEY ("endpointId") REFERENCES "Endpoint"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Guardrail" ADD CONSTRAINT "Guardrail_endpointId_fkey" FOREIGN KEY ("endpointId") REFERENCES "Endpoint"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Guardrail" ADD CONSTRAINT "Guardrail_modelVersionId_fkey" FOREIGN KEY ("modelVersionId") REFERENCES "ModelVersion"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "GuardrailDecision" ADD CONSTRAINT "GuardrailDecision_guardrailId_fkey" FOREIGN KEY ("guardrailId") REFERENCES "Guardrail"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ColumnRollup" ADD CONSTRAINT "ColumnRollup_modelVersionId_fkey" FOREIGN KEY ("modelVersionId") REFERENCES "ModelVersion"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "SampledInput" ADD CONSTRAINT "SampledInput_endpointId_fkey" FOREIGN KEY ("endpointId") REFERENCES "Endpoint"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "SampledInput" ADD CONSTRAINT "SampledInput_modelVersionId_fkey" FOREIGN KEY ("modelVersionId") REFERENCES "ModelVersion"("id") ON DELETE CASCADE ON UPDATE CASCADE;
