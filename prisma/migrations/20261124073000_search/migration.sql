-- AlterTable
ALTER TABLE "Experiment" ADD COLUMN     "bestRunId" UUID,
ADD COLUMN     "search" JSONB;

-- AlterTable
ALTER TABLE "Run" ADD COLUMN     "params" JSONB,
ADD COLUMN     "score" DOUBLE PRECISION,
ADD COLUMN     "trial" INTEGER;

-- CreateTable
CREATE TABLE "Rung" (
    "runId" UUID NOT NULL,
    "epoch" INTEGER NOT NULL,
    "score" DOUBLE PRECISION NOT NULL,
    "proceeds" BOOLEAN NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Rung_pkey" PRIMARY KEY ("runId","epoch")
);

-- CreateIndex
CREATE UNIQUE INDEX "Experiment_bestRunId_key" ON "Experiment"("bestRunId");

-- CreateIndex
CREATE UNIQUE INDEX "Run_experimentId_trial_key" ON "Run"("experimentId", "trial");

-- AddForeignKey
ALTER TABLE "Experiment" ADD CONSTRAINT "Experiment_bestRunId_fkey" FOREIGN KEY ("bestRunId") REFERENCES "Run"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Rung" ADD CONSTRAINT "Rung_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run"("id") ON DELETE CASCADE ON UPDATE CASCADE;


